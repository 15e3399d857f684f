/**
 * What may stand in a header that is built from JSON.
 *
 * Owns: the check of names, values and reason phrases that a publisher or an origin gives us in a body, where no HTTP
 * parser has looked at them. Does not own: the shape of header lists (headers.ts) or which headers are forwarded.
 */

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether `text` is an RFC 9110 §5.6.2 token, so that it can be a header name. */
export function isToken(text: string): boolean {
  return token.test(text);
}

/**
 * Whether `text` holds a control character other than a tab. CR, LF and NUL would split or truncate the message
 * (RFC 9110 §5.5); the others are as illegal, and Node refuses to send them.
 */
export function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}

/** What is wrong with a header, in words that name it, or undefined if it may be sent. */
export function headerFault(name: string, value: string): string | undefined {
  if (!isToken(name)) return `header name ${JSON.stringify(name)} is not a token`;
  if (hasControl(value)) return `header '${name}' contains a control character`;
  return undefined;
}
