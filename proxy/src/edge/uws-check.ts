/**
 * Owns: the checks on a request that uWebSockets.js leaves out, so that nothing ambiguous reaches an origin. Does not own:
 * those that any parser leaves to us (`request-check`).
 */
import { isToken, type RawHeaders } from '@holdfast/grip';
import type { Refusal } from './request-check.js';

const malformed = (detail: string): Refusal => ({ status: 400, text: `Failed to parse request: ${detail}\n` });

/** A path and query as they may be sent: visible ASCII (RFC 3986 §2). */
const TARGET = /^[\x21-\x7e]*$/;

/** Lengths up to which a number is exact. */
const LENGTH = /^\d{1,15}$/;

/** Why a transfer coding is refused: 400 where `chunked` is misplaced, 501 where it is not understood. */
function checkCoding(coding: string): Refusal | undefined {
  const codings = coding.toLowerCase().split(',');
  const chunked = codings.filter((name) => name.trim() === 'chunked').length;
  if (chunked > 1 || (chunked === 1 && codings.at(-1)?.trim() !== 'chunked')) {
    return malformed('chunked is not the last transfer coding');
  }
  return coding.toLowerCase() === 'chunked' ? undefined : { status: 501, text: 'Transfer coding not supported.\n' };
}

/**
 * Says why a request is refused: a method that is no token; a target with other than visible ASCII; more than one
 * Content-Length, one that is no number, or beside Transfer-Encoding (RFC 9112 §6.3); a coding other than exactly `chunked`;
 * a head longer than `maxHeaderBytes`. `headers` are as sent.
 */
export function checkUwsRequest(
  method: string,
  target: string,
  headers: RawHeaders,
  maxHeaderBytes: number,
): Refusal | undefined {
  let bytes = method.length + target.length + 12;
  let length: string | undefined;
  let coding: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    bytes += name.length + value.length + 4;
    if (name === 'content-length') {
      if (length !== undefined) return malformed('more than one Content-Length');
      length = value;
    } else if (name === 'transfer-encoding') coding = coding === undefined ? value : `${coding},${value}`;
  }
  if (bytes > maxHeaderBytes) {
    return { status: 431, text: `Request header size exceeded limit of ${maxHeaderBytes} bytes.\n` };
  }
  if (!isToken(method)) return malformed('invalid method');
  if (!TARGET.test(target)) return malformed('invalid request target');
  if (length !== undefined && !LENGTH.test(length)) return malformed('invalid Content-Length');
  if (coding === undefined) return undefined;
  if (length !== undefined) return malformed('Content-Length beside Transfer-Encoding');
  return checkCoding(coding);
}
