/**
 * Owns: the checks on a request that uWebSockets.js leaves out, so that nothing ambiguous reaches an origin. Does not own:
 * those that any parser leaves to us (`request-check`).
 */
import { checkMethod } from '../method-check.js';
import type { Refusal } from '../request-check.js';
import type { UwsHead } from './request.js';

const malformed = (detail: string): Refusal => ({ status: 400, text: `Failed to parse request: ${detail}\n` });

/** A path and query as they may be sent: visible ASCII (RFC 3986 §2). */
const TARGET = /^[\x21-\x7e]*$/;

/** Lengths up to which a number is exact. */
const LENGTH = /^\d{1,15}$/;

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
 * size, line ends and what follows the data are not looked at. Of that nothing can be seen here, so no coding is accepted.
 */
function checkCoding(coding: string): Refusal {
  const codings = coding.toLowerCase().split(',');
  const chunked = codings.filter((name) => name.trim() === 'chunked').length;
  if (chunked > 1 || (chunked === 1 && codings.at(-1)?.trim() !== 'chunked')) {
    return malformed('chunked is not the last transfer coding');
  }
  return coding.toLowerCase() === 'chunked'
    ? LENGTH_REQUIRED
    : { status: 501, text: 'Transfer coding not supported.\n' };
}

/**
 * Says why a request is refused: a method that is not taken; a target with other than visible ASCII; a control character in a
 * value; bytes that the library has replaced; more than one Content-Length, one that is no number, or beside Transfer-Encoding
 * (RFC 9112 §6.3); any transfer coding;
 * bytes of the PROXY protocol, which the library takes from everybody; a head longer than `clientBufferSize`. `headers` are as sent.
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
  if (bytes > clientBufferSize) {
    return { status: 431, text: `Request header size exceeded limit of ${clientBufferSize} bytes.\n` };
  }
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
