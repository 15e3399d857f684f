/**
 * Owns: which header fields of an answer reach the client: the one function of that direction, called by every edge.
 * Does not own: fields with a GRIP meaning, which the instruct parser has taken out before.
 */
import type { RawHeaders } from '@holdfast/grip';
import { namedByConnection } from '../connection-field.js';

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
 * and without what Connection names: the edge frames anew, and trailers are not passed on (RFC 9110 §7.6.1, §6.5.1). Everything else keeps its order, case
 * and duplicates.
 */
export function clientHeaders(headers: RawHeaders): string[] {
  const kept: string[] = [];
  const named = namedByConnection(headers);
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isHop(name) || (named.size > 0 && named.has(name.toLowerCase()))) continue;
    kept.push(name, headers[i + 1] as string);
  }
  return kept;
}
