/**
 * Heads on the uws edge: those of requests, copied and checked for what uWebSockets.js lets pass, and the text of those of responses.
 */
import { SocketAddress } from 'node:net';
import { headerValue, type ResponseHead } from '@holdfast/grip';
import { type HeadKind, headLines } from '../client-headers.js';
import { UNKNOWN_ADDRESS } from '../port.js';
import { checkMethod, headTooLong, LENGTH, malformed, type Refusal, UNKNOWN_CODING } from '../request-check.js';
import type { UwsAnswer, UwsRequest, UwsText } from './library.js';

/** A request head as it was sent, but for the case of header names, which the library has lost. */
export interface UwsHead {
  readonly method: string;
  readonly target: string;
  readonly headers: string[];
  readonly clientAddress: string;
  /** Bytes of a value are lost: it is not UTF-8, and not the first value of its name. */
  readonly isAltered: boolean;
  /** Whether an address in the PROXY protocol came before the request. */
  readonly isProxied: boolean;
}

/** How a request wants its answer. */
export interface AnswerShape {
  readonly isHead: boolean;
  /** The client has asked for a close. */
  readonly closes: boolean;
  /** The library knows of that, and closes. */
  readonly closesByItself: boolean;
  /** The edge refuses the request: nothing that its connection sends after it is a request. */
  readonly isRefusal: boolean;
}

const NON_ASCII = /[^\0-\x7f]/;

/** What the library puts in the place of bytes that are no UTF-8; a client that sends this character itself looks the same. */
const REPLACED = '\ufffd';

/** Copies the head. To be called within the handler. */
export function copyHead(request: UwsRequest, answer: UwsAnswer, isLocal: boolean): UwsHead {
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
    clientAddress: addressOf(answer.getRemoteAddress(), isLocal),
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
export function addressOf(address: ArrayBuffer, isLocal: boolean): string {
  const bytes = new Uint8Array(address);
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length !== 16) return isLocal ? '' : UNKNOWN_ADDRESS;
  const isMapped = bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
  if (isMapped) return bytes.subarray(12).join('.');
  const hex = Buffer.from(bytes)
    .toString('hex')
    .replace(/(....)(?!$)/g, '$1:');
  return new SocketAddress({ address: hex, family: 'ipv6' }).address;
}

/** A path and query as they may be sent: visible ASCII (RFC 3986 §2). */
const TARGET = /^[\x21-\x7e]*$/;

/** DEL, the one control character that the library lets pass in a value (RFC 9110 §5.5). */
const DEL = '\x7f';

/** RFC 9110 §15.5.12. */
const LENGTH_REQUIRED: Refusal = {
  status: 411,
  text: 'Length required: this server reads no chunked request bodies. Send a Content-Length.\n',
};

/**
 * Why a transfer coding is refused: 400 where `chunked` is misplaced, 501 where it is not understood, else 411. The library
 * reads chunks so loosely that another reader of the same bytes may see other requests in them: a `;` counts as a digit of the
 * size, line ends and what follows the data are not looked at. None of that can be detected here, so no coding is accepted.
 */
function checkCoding(coding: string): Refusal {
  const codings = coding.toLowerCase().split(',');
  const chunked = codings.filter((name) => name.trim() === 'chunked').length;
  if (chunked > 1 || (chunked === 1 && codings.at(-1)?.trim() !== 'chunked')) {
    return malformed('chunked is not the last transfer coding');
  }
  return coding.toLowerCase() === 'chunked' ? LENGTH_REQUIRED : UNKNOWN_CODING;
}

/**
 * Why a request is refused; undefined where it is accepted. Refused are: a method that is not served; a target with other than
 * visible ASCII; a control character in a value; bytes that the library has replaced; more than one Content-Length, one that is
 * not a number, or one beside Transfer-Encoding (RFC 9112 §6.3); any transfer coding; bytes of the PROXY protocol, which the
 * library accepts from every client; a head longer than `clientBufferSize`.
 */
export function checkUwsRequest(
  { method, target, headers, isAltered, isProxied }: UwsHead,
  clientBufferSize: number,
): Refusal | undefined {
  let bytes = method.length + target.length + 12;
  let length: string | undefined;
  let coding: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    bytes += name.length + value.length + 4;
    if (value.includes(DEL)) return malformed(`a control character in ${name}`);
    if (name === 'content-length') {
      if (length !== undefined) return malformed('more than one Content-Length');
      length = value;
    } else if (name === 'transfer-encoding') coding = coding === undefined ? value : `${coding},${value}`;
  }
  if (bytes > clientBufferSize) return headTooLong(clientBufferSize);
  if (isAltered) return malformed('bytes that are no UTF-8 in a field that comes more than once');
  if (isProxied) return malformed('bytes of the PROXY protocol before it');
  const wrongMethod = checkMethod(method);
  if (wrongMethod !== undefined) return wrongMethod;
  if (!TARGET.test(target)) return malformed('invalid request target');
  if (length !== undefined && !LENGTH.test(length)) return malformed('invalid Content-Length');
  if (coding === undefined) return undefined;
  if (length !== undefined) return malformed('Content-Length beside Transfer-Encoding');
  return checkCoding(coding);
}

/** Longest part of a head, in bytes, that shares a cork with other bytes. */
const PART_MAX = 8_000;

const isDate = (name: string): boolean => name.length === 4 && name.toLowerCase() === 'date';

/**
 * A response's head without the line that ends it: the library writes lines as they are given, so that a whole head goes out in
 * one call. Date is left out beside the fields of the hop: the library writes its own into
 * every final answer. Throws for a head that cannot be put on the wire (`checkedHeaders`): characters above U+00FF would
 * become the bytes of other characters.
 */
export function headText(head: ResponseHead, kind: HeadKind): string {
  return headLines(head, kind, kind === 'interim' ? undefined : isDate);
}

/** Text as bytes, one to a character. */
export function latin1(text: string): UwsText {
  return NON_ASCII.test(text) ? Buffer.from(text, 'latin1') : text;
}

/**
 * Writes lines as they are, the last CRLF aside. `begun`: some of this answer was written before; then they
 * go as a header field, since there is only one status; the first of them must have a colon.
 */
export function writeLines(answer: UwsAnswer, text: string, begun: boolean): void {
  if (!begun) {
    answer.writeStatus(latin1(text.slice('HTTP/1.1 '.length)));
    return;
  }
  const colon = text.indexOf(': ');
  answer.writeHeader(latin1(text.slice(0, colon)), latin1(text.slice(colon + 2)));
}

/**
 * Where a long head is to be cut, so that what goes out at a time does not exceed what the library can hold: the index of a
 * CRLF, or undefined when it is short enough.
 */
export function cutOf(text: string): number | undefined {
  if (text.length <= PART_MAX) return undefined;
  const before = text.lastIndexOf('\r\n', PART_MAX);
  const cut = before > 0 ? before : text.indexOf('\r\n');
  return cut < 0 ? undefined : cut;
}

/** Whether a comment may be put before the body: that of an event stream, but not within a coding of its bytes. */
export function isEventStream({ headers }: ResponseHead): boolean {
  if (headerValue(headers, 'content-encoding') !== undefined) return false;
  return headerValue(headers, 'content-type')?.trim().toLowerCase().startsWith('text/event-stream') === true;
}
