/** Why an origin could not be asked, or did not answer, in an operator's words, and what can be done about it. */
import type { Options } from '../config/table.js';
import type { OriginError } from '../errors.js';
import { describeHost, type Target } from '../routes/target.js';

/** How long origins are waited for. */
export type OriginPatience = Pick<Options, 'originConnectTimeout' | 'originTimeout'>;

/** Causes of causes that are looked through for the system's own. */
const MAX_CAUSES = 4;

/** What the system and the TLS library say of a connection that was not made; `%h` stands for the target's address. */
const CONNECTING: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: is the origin running on %h?',
  ENOTFOUND: 'its name is unknown: is it spelled right in the route, and does this machine know it?',
  EAI_AGAIN: 'its name cannot be looked up now: the name server of this machine does not answer',
  EHOSTUNREACH: 'there is no way to %h: is that machine up, and is a firewall between?',
  ENETUNREACH: 'there is no way to the network of %h',
  EADDRNOTAVAIL: 'this machine has no free port for another connection to %h',
  ECONNRESET:
    'it closed the connection before it was up: is %h the right port, and does it speak TLS as the target says?',
  EPROTO: 'the TLS handshake failed: does it speak TLS on %h? If not, remove ssl from the target',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on %h: remove ssl from the target',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS on %h: remove ssl from the target',
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it (insecure on the target accepts any)',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: is the clock of this machine right?',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for other names: have host= of the target say one of them, or set trust_connect_host where it is for %h',
};

const UNTRUSTED =
  'its certificate is not trusted: name the file of its authority in NODE_EXTRA_CA_CERTS (insecure on the target accepts any)';

/** OpenSSL's words for an authority that is not known. */
const UNTRUSTED_CODES: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
]);

/** The code at the bottom of an error: the system's or a library's. Undefined where there is none. */
export function rootCode(error: Error): string | undefined {
  let found: string | undefined;
  let at: unknown = error.cause;
  for (let depth = 0; at instanceof Error && depth < MAX_CAUSES; depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string') found = code;
    at = at.cause;
  }
  return found;
}

/** Why, and what to do, in one line. */
export function adviceOn(error: OriginError, target: Target | undefined, patience: OriginPatience): string {
  switch (error.code) {
    case 'ERR_ORIGIN_CONNECT':
      return connecting(error, target, patience);
    case 'ERR_ORIGIN_BLOCKED':
      return 'the target is untrusted, and its address is private: remove untrusted if the origin may be in this network';
    case 'ERR_ORIGIN_TIMEOUT':
      return `it was silent for ${seconds(patience.originTimeout)} (origin_timeout): is it stuck, or does it need longer?`;
    case 'ERR_ORIGIN_CLOSED':
      return answeredNothing(error, target)
        ? 'it closed the connection without an answer: did it crash, or does it speak TLS there, so that the target needs ssl?'
        : 'it closed the connection before its answer was complete: did it crash or restart, or limit the time?';
    case 'ERR_ORIGIN_MALFORMED':
      return `what it sent is not valid: ${error.message}${tlsHint(error, target)}`;
    default:
      return error.message;
  }
}

function connecting(error: OriginError, target: Target | undefined, { originConnectTimeout }: OriginPatience): string {
  const code = rootCode(error) ?? '';
  if (UNTRUSTED_CODES.has(code)) return `${UNTRUSTED} (${code})`;
  const host = target?.kind === 'http' ? describeHost(target) : 'its address';
  const known = CONNECTING[code];
  if (known !== undefined) return `${known.replace('%h', host)} (${code})`;
  if (code === 'ETIMEDOUT' || code === 'UND_ERR_CONNECT_TIMEOUT' || error.message === 'connecting timed out') {
    return `no connection within ${seconds(originConnectTimeout)} (origin_connect_timeout): is ${host} right, and is a firewall between?`;
  }
  return error.message;
}

/** Bytes of TLS read as HTTP, and the other way round, are the commonest cause. */
function tlsHint(error: Error, target: Target | undefined): string {
  if (
    target?.kind !== 'http' ||
    target.ssl ||
    !/HPE_INVALID_(CONSTANT|VERSION)|Expected HTTP/.test(`${rootCode(error)} ${error.message}`)
  )
    return '';
  return ': does it speak HTTP there, or does the target need ssl?';
}

/** Whether nothing at all has come from a target that is spoken to without TLS: servers of TLS take that so. */
function answeredNothing({ cause }: Error, target: Target | undefined): boolean {
  const { socket } = (cause ?? {}) as { socket?: { bytesRead?: number } };
  return target?.kind === 'http' && !target.ssl && socket?.bytesRead === 0;
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}
