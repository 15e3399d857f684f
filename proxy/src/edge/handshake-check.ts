/** Which WebSocket handshakes of clients are valid, and which fields their answer may have. */
import { headerValue, headerValues, type RawHeaders } from '@holdfast/grip';
import { clientHeaders } from './client-headers.js';

/** The answer to a refused handshake. */
export interface HandshakeRefusal {
  readonly status: number;
  readonly text: string;
  readonly headers: RawHeaders;
}

/** The parts of a request head that decide about a handshake. */
export interface HandshakeHead {
  readonly method: string;
  readonly version: string;
  readonly headers: RawHeaders;
}

/** 16 bytes in base64 (RFC 6455 §4.1). */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** Fields that may not be repeated (RFC 6455 §11.3). */
const ONCE = ['Upgrade', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version'] as const;

const HANDSHAKE = new Set([
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
]);

const invalid = (why: string): HandshakeRefusal => ({
  status: 400,
  text: `Request contained an Upgrade header with value "websocket" but the request was not a valid WebSocket request: ${why}.\n`,
  headers: [],
});

/** Whether a request asks for a WebSocket: by its Upgrade field, compared without case as RFC 9110 §7.8 has it. */
export function asksForWebSocket(headers: RawHeaders): boolean {
  const upgrade = headerValue(headers, 'upgrade');
  return upgrade !== undefined && upgrade.trim().toLowerCase() === 'websocket';
}

/** Checks a handshake by RFC 6455 §4.2.1; undefined when it is valid. */
export function checkHandshake({ method, version: http, headers }: HandshakeHead): HandshakeRefusal | undefined {
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

/** The fields of an origin's 101 that go to the client: without those of the hop and of the handshake itself. */
export function acceptedHeaders(headers: RawHeaders): string[] {
  const kept: string[] = [];
  const allowed = clientHeaders(headers);
  for (let i = 0; i < allowed.length; i += 2) {
    const name = allowed[i] as string;
    if (!HANDSHAKE.has(name.toLowerCase())) kept.push(name, allowed[i + 1] as string);
  }
  return kept;
}
