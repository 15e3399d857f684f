/**
 * Status codes: which can end a response or precede it, and their default reason phrases. node:http has such a table, but does
 * I/O.
 */
import { reasonFault } from './header-field.js';

/** The IANA registry, with 413 and 414 in the older wording that Pushpin sends. */
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

/** Whether `code` can be the status of an interim answer (RFC 9110 §15.2): 101 ends HTTP on its connection, and is none. */
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
