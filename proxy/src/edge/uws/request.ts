/** Owns: copying what uWebSockets.js knows of a request, which is gone after its turn. Does not own: judging it. */
import { SocketAddress } from 'node:net';
import type { UwsAnswer, UwsRequest } from './library.js';

/** A request head as it was sent, but for the case of header names, which the library has lost. */
export interface UwsHead {
  readonly method: string;
  readonly target: string;
  readonly headers: string[];
  readonly clientAddress: string;
  /** Bytes of a value are lost: the name is the second or a later one of its kind, and the value no UTF-8. */
  readonly isAltered: boolean;
  /** Whether the connection has begun a request with an address in the PROXY protocol. */
  readonly isProxied: boolean;
}

const NON_ASCII = /[^\0-\x7f]/;

/** What the library puts in the place of bytes that are no UTF-8; that somebody sends it himself is not to be told from that. */
const REPLACED = '\ufffd';

/** Copies the head. To be called within the handler. */
export function copyHead(request: UwsRequest, answer: UwsAnswer): UwsHead {
  const headers: string[] = [];
  let exact = true;
  request.forEach((name, value) => {
    headers.push(name, value);
    if (NON_ASCII.test(value)) exact = false;
  });
  const isAltered = !exact && !restoreBytes(headers, request);
  const query = request.getQuery();
  const url = request.getUrl();
  return {
    method: request.getCaseSensitiveMethod(),
    target: query === undefined ? url : `${url}?${query}`,
    headers,
    isAltered,
    clientAddress: addressOf(answer.getRemoteAddress()),
    isProxied: answer.getProxiedRemoteAddress().byteLength > 0,
  };
}

/**
 * Header values are bytes, one to a character (Latin-1), but come decoded as UTF-8. The first field of a name can be had as
 * it was; further ones are encoded again, which restores them unless they were not UTF-8. False if one may not have been.
 */
function restoreBytes(headers: string[], request: UwsRequest): boolean {
  const seen = new Set<string>();
  let isExact = true;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (NON_ASCII.test(value)) {
      const isFirst = !seen.has(name);
      if (!isFirst && value.includes(REPLACED)) isExact = false;
      headers[i + 1] = isFirst ? request.getHeader(name) : Buffer.from(value, 'utf8').toString('latin1');
    }
    seen.add(name);
  }
  return isExact;
}

/** The address as an operator writes it: IPv4 without the IPv6 mapping; empty on a unix socket. */
export function addressOf(address: ArrayBuffer): string {
  const bytes = new Uint8Array(address);
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length !== 16) return '';
  const isMapped = bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
  if (isMapped) return bytes.subarray(12).join('.');
  const hex = Buffer.from(bytes)
    .toString('hex')
    .replace(/(....)(?!$)/g, '$1:');
  return new SocketAddress({ address: hex, family: 'ipv6' }).address;
}
