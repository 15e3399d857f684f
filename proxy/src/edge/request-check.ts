/**
 * The checks on a request head that a parser leaves to us, those of WebSocket handshakes included, so that nothing ambiguous reaches an origin.
 */
import { METHODS } from 'node:http';
import { headerValue, headerValues, type RawHeaders } from '@holdfast/grip';

/** The answer to a refused request. `text` ends in a newline. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
  /** Fields beside those of the text; left out: none. */
  readonly headers?: RawHeaders;
}

/** The parts of a request head that decide framing and routing. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: RawHeaders;
}

/** Authority and origin-form path of an accepted request target. */
export interface Target {
  readonly host: string;
  readonly path: string;
}

/** A name, an IPv4 address or one of IPv6 in brackets, and a port (RFC 3986 §3.2.2, §3.2.3, RFC 6874); empty is allowed. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+(?:%[\w.~%-]+)?\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::(\d{0,5}))?$/;

const PORT_MAX = 65_535;

/** A length that a number holds exactly (RFC 9110 §8.6): another one would go to the origin than came. */
export const LENGTH = /^\d{1,15}$/;

const ABSOLUTE = /^https?:\/\/([^/?#]+)([^#]*)/i;

/** The answer to a request that cannot be read. */
export const malformed = (detail: string): Refusal => ({ status: 400, text: `Failed to parse request: ${detail}\n` });

/** The answer to a head of more than so many bytes (RFC 6585 §5). */
export const headTooLong = (limit: number): Refusal => ({
  status: 431,
  text: `Request header size exceeded limit of ${limit} bytes.\n`,
});

/** The answer to a transfer coding that is not read (RFC 9112 §6.1). */
export const UNKNOWN_CODING: Refusal = { status: 501, text: 'Transfer coding not supported.\n' };

/** Splits an absolute-form or origin-form target; undefined when it is neither (RFC 9112 §3.2). */
function readTarget(target: string, hostField: string): Target | undefined {
  if (target.startsWith('/')) {
    const fragment = target.indexOf('#');
    return { host: hostField, path: fragment < 0 ? target : target.slice(0, fragment) };
  }
  const absolute = ABSOLUTE.exec(target);
  if (absolute === null) return undefined;
  const path = absolute[2] as string;
  return { host: absolute[1] as string, path: path.startsWith('/') ? path : `/${path}` };
}

/**
 * Accepts a request head or says why not. Refused are: more than one Host, or none in HTTP/1.1 (RFC 9112 §3.2); a Host
 * that is not an authority: other characters, a bracket alone, a bad port; a Content-Length of more than 15 digits; any
 * Transfer-Encoding in HTTP/1.0 (§6.1); a coding other than exactly
 * `chunked` (501, §6.1); versions other than 1.0 and 1.1 (505); targets that are neither a path nor an http URL.
 */
export function checkRequest(head: RequestHead): Target | Refusal {
  if (head.version !== '1.1' && head.version !== '1.0') return { status: 505, text: 'HTTP version not supported.\n' };
  let host: string | undefined;
  let coding: string | undefined;
  const { headers } = head;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') {
      if (host !== undefined) return malformed('more than one Host header');
      host = headers[i + 1] as string;
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      coding = coding === undefined ? (headers[i + 1] as string) : `${coding},${headers[i + 1]}`;
    } else if (
      name.length === 14 &&
      name.toLowerCase() === 'content-length' &&
      !LENGTH.test(headers[i + 1] as string)
    ) {
      return malformed('invalid Content-Length');
    }
  }
  if (host === undefined && head.version === '1.1') return malformed('missing Host header');
  if (coding !== undefined) {
    if (head.version === '1.0') return malformed('Transfer-Encoding in an HTTP/1.0 request');
    if (coding.toLowerCase() !== 'chunked') return UNKNOWN_CODING;
  }
  // A question to the server itself (RFC 9110 §9.3.7): it has no path to route by, so the edge answers it.
  const isOwn = head.target === '*' && head.method === 'OPTIONS';
  const target = isOwn ? { host: host ?? '', path: '*' } : readTarget(head.target, host ?? '');
  if (target === undefined) return malformed('invalid request target');
  return isHost(target.host) ? target : malformed('invalid Host header');
}

/** Whether a text can be a Host: an authority without user information, or empty. */
export function isHost(text: string): boolean {
  const parts = HOST.exec(text);
  return parts !== null && Number(parts[1] ?? 0) <= PORT_MAX;
}

/** Whether a check has refused the request. */
export function isRefusal(outcome: Target | Refusal): outcome is Refusal {
  return 'status' in outcome;
}

/**
 * The methods that node's parser knows, on both edges: uWebSockets.js takes every token, and with it the end of a body that it
 * does not know of, with what comes behind it (`abcGET`). CONNECT asks for a tunnel, which no route leads through.
 */
const TAKEN: ReadonlySet<string> = new Set(METHODS.filter((method) => method !== 'CONNECT'));

/** Longest name of a method that a refusal repeats, in characters. */
const SHOWN_MAX = 40;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The beginning of a request line, of which the method is not taken. */
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) \S+ HTTP\/1\.[01]\r?$/;

/** Why a method is refused: it is no token (400), or none that is taken (501, RFC 9110 §9.1); undefined where it is taken. */
export function checkMethod(method: string): Refusal | undefined {
  if (TAKEN.has(method)) return undefined;
  if (!TOKEN.test(method)) return malformed('invalid method');
  const shown = method.length > SHOWN_MAX ? `${method.slice(0, SHOWN_MAX)}...` : method;
  return { status: 501, text: `Method not supported: ${shown}.\n` };
}

/**
 * The same where a parser has given up at a method: `bytes` is what it was reading, and `at` where it stopped. Undefined
 * where no request line is to be seen there: it came in parts, or is none.
 */
export function checkMethodAt(bytes: Buffer, at: number): Refusal | undefined {
  const start = bytes.lastIndexOf('\n', Math.max(0, at - 1)) + 1;
  const end = bytes.indexOf('\n', at);
  if (end < 0) return undefined;
  const method = REQUEST_LINE.exec(bytes.toString('latin1', start, end))?.[1];
  return method === undefined ? undefined : checkMethod(method);
}

/** 16 bytes in base64 (RFC 6455 §4.1). */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** Fields that may not be repeated (RFC 6455 §11.3). */
const ONCE = ['Upgrade', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version'] as const;

const invalid = (why: string): Refusal => ({
  status: 400,
  text: `Request contained an Upgrade header with value "websocket" but the request was not a valid WebSocket request: ${why}.\n`,
});

/** Whether a request asks for a WebSocket: by its Upgrade field, compared without case as RFC 9110 §7.8 has it. */
export function asksForWebSocket(headers: RawHeaders): boolean {
  const upgrade = headerValue(headers, 'upgrade');
  return upgrade !== undefined && upgrade.trim().toLowerCase() === 'websocket';
}

/** Checks a handshake by RFC 6455 §4.2.1; undefined when it is valid. */
export function checkHandshake({ method, version: http, headers }: RequestHead): Refusal | undefined {
  if (method !== 'GET') return invalid(`the method is ${method}, not GET`);
  if (http !== '1.1') return invalid('it is not HTTP/1.1');
  for (const name of ONCE)
    if (headerValues(headers, name.toLowerCase()).length > 1) return invalid(`it has more than one ${name}`);
  const key = headerValue(headers, 'sec-websocket-key');
  if (key === undefined) return invalid('it has no Sec-WebSocket-Key');
  if (!KEY.test(key.trim())) return invalid('its Sec-WebSocket-Key is not 16 bytes in base64');
  const length = headerValue(headers, 'content-length');
  if (headerValue(headers, 'transfer-encoding') !== undefined || (length !== undefined && Number(length) !== 0)) {
    return invalid('it has a body');
  }
  const version = headerValue(headers, 'sec-websocket-version');
  if (version === undefined) return invalid('it has no Sec-WebSocket-Version');
  if (version.trim() === '13') return undefined;
  return {
    status: 426,
    text: `WebSocket version ${version.trim()} is not supported, version 13 is.\n`,
    headers: ['Sec-WebSocket-Version', '13', 'Upgrade', 'websocket'],
  };
}
