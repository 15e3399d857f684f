/** The header fields of an answer that reach the client, and the one check that every head passes on both edges. */
import {
  headerFault,
  isFinalStatus,
  isInterimStatus,
  type RawHeaders,
  type ResponseHead,
  reasonFault,
} from '@holdfast/grip';
import { EdgeError } from '../errors.js';
import { namedByConnection } from '../http/fields.js';

/** What a head stands for: the answer, one before it (RFC 9110 §15.2), or the acceptance of a handshake. */
export type HeadKind = 'final' | 'interim' | 'switch';

/** Whether a field belongs to one hop or to the framing, by its length first: most names are decided by that alone. */
function isHop(name: string): boolean {
  switch (name.length) {
    case 7: {
      const lower = name.toLowerCase();
      return lower === 'upgrade' || lower === 'trailer';
    }
    case 10: {
      const lower = name.toLowerCase();
      return lower === 'connection' || lower === 'keep-alive';
    }
    case 14:
      return name.toLowerCase() === 'content-length';
    case 16:
      return name.toLowerCase() === 'proxy-connection';
    case 17:
      return name.toLowerCase() === 'transfer-encoding';
    default:
      return false;
  }
}

/**
 * A new list without Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Content-Length, Trailer and Upgrade,
 * and without what Connection names: the edge frames anew, and trailers are not passed on (RFC 9110 §7.6.1, §6.5.1).
 * Everything else keeps its order, case and duplicates; `check` may throw for it.
 */
export function clientHeaders(headers: RawHeaders, check?: (name: string, value: string) => void): string[] {
  const kept: string[] = [];
  const named = namedByConnection(headers);
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isHop(name) || (named.size > 0 && named.has(name.toLowerCase()))) continue;
    const value = headers[i + 1] as string;
    check?.(name, value);
    kept.push(name, value);
  }
  return kept;
}

function checkField(name: string, value: string): void {
  const fault = headerFault(name, value);
  if (fault !== undefined) throw new EdgeError('ERR_EDGE_HEAD', fault);
}

/**
 * The fields of a head as they go out: `clientHeaders`, checked. Throws an EdgeError ERR_EDGE_HEAD, which names the fault,
 * for a head that cannot be put on the wire as one: a status of another kind or of other than three digits, a reason phrase
 * or a value with anything but HTAB, SP, VCHAR and obs-text, a name that is no token. Nothing may be written before.
 */
export function checkedHeaders({ status, reason, headers }: ResponseHead, kind: HeadKind): string[] {
  if (!isOf(kind, status)) throw new EdgeError('ERR_EDGE_HEAD', `${status} is no status of a ${kind} answer`);
  const phrase = reasonFault(reason);
  if (phrase !== undefined) throw new EdgeError('ERR_EDGE_HEAD', `the reason phrase contains ${phrase}`);
  return clientHeaders(headers, checkField);
}

function isOf(kind: HeadKind, status: number): boolean {
  if (kind === 'switch') return status === 101;
  return kind === 'final' ? isFinalStatus(status) : isInterimStatus(status);
}

/** Status line and fields as a Latin-1 string, without the empty line that ends a head; checked as by `checkedHeaders`. */
export function headLines(head: ResponseHead, kind: HeadKind, leaves?: (name: string) => boolean): string {
  const fields = checkedHeaders(head, kind);
  let text = `HTTP/1.1 ${head.status} ${head.reason}`;
  for (let i = 0; i < fields.length; i += 2) {
    if (leaves?.(fields[i] as string) !== true) text += `\r\n${fields[i]}: ${fields[i + 1]}`;
  }
  return text;
}

/** Fields of the handshake itself (RFC 6455 §11.3), which the edge writes. */
const HANDSHAKE = new Set([
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
]);

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
