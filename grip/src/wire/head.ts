/** The head of an HTTP message: its shape, what a name, a value and a reason phrase may contain, and the status codes. */

/**
 * Header fields as a flat list `[name, value, name, value, …]`, in wire order, names in the case in which they
 * came, duplicates kept. Values are Latin-1 strings, one character per byte (RFC 9110 §5.5).
 */
export type RawHeaders = readonly string[];

/** Status line and header fields of an HTTP response, without its body. */
export interface ResponseHead {
  readonly status: number;
  /** Reason phrase as it came; may be empty. */
  readonly reason: string;
  readonly headers: RawHeaders;
}

/** First value of a header, or undefined. `name` must be given in lower case. */
export function headerValue(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const candidate = headers[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return headers[i + 1];
  }
  return undefined;
}

/** All values of a header in wire order. `name` must be given in lower case. */
export function headerValues(headers: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const candidate = headers[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) values.push(headers[i + 1] as string);
  }
  return values;
}

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

/** The IANA registry (that of node:http comes with I/O), with 413 and 414 in the older wording that Pushpin sends. */
const phrases: ReadonlyMap<number, string> = new Map([
  [100, 'Continue'],
  [101, 'Switching Protocols'],
  [102, 'Processing'],
  [103, 'Early Hints'],
  [200, 'OK'],
  [201, 'Created'],
  [202, 'Accepted'],
  [203, 'Non-Authoritative Information'],
  [204, 'No Content'],
  [205, 'Reset Content'],
  [206, 'Partial Content'],
  [207, 'Multi-Status'],
  [208, 'Already Reported'],
  [226, 'IM Used'],
  [300, 'Multiple Choices'],
  [301, 'Moved Permanently'],
  [302, 'Found'],
  [303, 'See Other'],
  [304, 'Not Modified'],
  [305, 'Use Proxy'],
  [307, 'Temporary Redirect'],
  [308, 'Permanent Redirect'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [402, 'Payment Required'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [406, 'Not Acceptable'],
  [407, 'Proxy Authentication Required'],
  [408, 'Request Timeout'],
  [409, 'Conflict'],
  [410, 'Gone'],
  [411, 'Length Required'],
  [412, 'Precondition Failed'],
  [413, 'Request Entity Too Large'],
  [414, 'Request-URI Too Long'],
  [415, 'Unsupported Media Type'],
  [416, 'Range Not Satisfiable'],
  [417, 'Expectation Failed'],
  [418, "I'm a teapot"],
  [421, 'Misdirected Request'],
  [422, 'Unprocessable Entity'],
  [423, 'Locked'],
  [424, 'Failed Dependency'],
  [425, 'Too Early'],
  [426, 'Upgrade Required'],
  [428, 'Precondition Required'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [451, 'Unavailable For Legal Reasons'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
  [506, 'Variant Also Negotiates'],
  [507, 'Insufficient Storage'],
  [508, 'Loop Detected'],
  [510, 'Not Extended'],
  [511, 'Network Authentication Required'],
]);

/** Reason phrase of the IANA table for an HTTP status code; the empty string for a code that is not in it. */
export function reasonPhrase(code: number): string {
  return phrases.get(code) ?? '';
}

/** Lowest status of a final answer (RFC 9110 §15). */
export const MIN_FINAL_STATUS = 200;

/** Greatest status that is passed on; beyond 599 they have no class, but origins use them. */
export const MAX_FINAL_STATUS = 999;

/**
 * Whether `code` can be the status of a final response: 200 to 999. Pushpin also takes 0 to 199, but what it then
 * puts on the wire is no HTTP response (RFC 9110 §15: 1xx is interim, anything lower is not a status code).
 */
export function isFinalStatus(code: number): boolean {
  return Number.isInteger(code) && code >= MIN_FINAL_STATUS && code <= MAX_FINAL_STATUS;
}

/** Whether `code` can be the status of an interim answer (RFC 9110 §15.2): 101 ends HTTP on its connection, and does not count. */
export function isInterimStatus(code: number): boolean {
  return Number.isInteger(code) && code >= 100 && code <= 199 && code !== 101;
}

/**
 * A reason phrase that may be sent: the one that an origin gave, byte for byte, or the default one in place of one with other
 * bytes than RFC 9112 §4 has, or of one that is too long. It says nothing that the status does not say (RFC 9110 §15.1), so
 * the answer itself is still good.
 */
export function sendableReason(code: number, reason: string): string {
  return reasonFault(reason) === undefined ? reason : reasonPhrase(code);
}
