/**
 * What a name, a value and a reason phrase of an HTTP head may contain. Text from JSON is checked when it is read, so that its
 * author gets the error; every head is checked once more where it is sent.
 */

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Anything but HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5, RFC 9112 §4), where a character stands for a byte. */
const unsendable = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * Longest reason phrase in bytes that is sent on or accepted. It is for people, and clients read it into buffers of a fixed
 * size: servers send a few words.
 *
 * @limit {} bytes of a reason phrase
 * @over an origin's is replaced by the default phrase of the status; an instruct is 502, a publish 400
 */
export const MAX_REASON = 1_024;

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

/** Why a Latin-1 string cannot be sent; undefined where it can. The test of all of it comes first: it nearly always passes. */
function textFault(text: string): string | undefined {
  if (!unsendable.test(text)) return undefined;
  return hasControl(text) ? 'a control character' : 'a character above U+00FF';
}

/**
 * What is wrong with a header, in a text that names it, or undefined if it may be sent. `value` is a Latin-1 string: a character
 * above U+00FF has no byte, and would become its low byte.
 */
export function headerFault(name: string, value: string): string | undefined {
  if (!isToken(name)) return `header name ${JSON.stringify(name)} is not a token`;
  const fault = textFault(value);
  return fault === undefined ? undefined : `header '${name}' contains ${fault}`;
}

/** What is wrong with a reason phrase, a Latin-1 string, or undefined if it may be sent; it may be empty. */
export function reasonFault(reason: string): string | undefined {
  const fault = textFault(reason);
  if (fault !== undefined || reason.length <= MAX_REASON) return fault;
  return `more than ${MAX_REASON} bytes`;
}
