/** The fields that Connection names as fields of the hop, in either direction (RFC 9110 §7.6.1). */
import type { RawHeaders } from '@holdfast/grip';

/**
 * Fields that Connection may not remove: nobody must be able to hide from the other side what proxies before said of a
 * message, or take the meaning from its body.
 */
const END_TO_END = /^(x-|forwarded$|via$|cdn-loop$|content-|authorization$|cookie$|set-cookie$|cache-control$|grip-)/;

const NOBODY: ReadonlySet<string> = new Set();

/** Names, in lower case, of the fields that are to go no further. Almost always none, which costs no allocation. */
export function namedByConnection(headers: RawHeaders): ReadonlySet<string> {
  let named: Set<string> | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const part of (headers[i + 1] as string).split(',')) {
      const lower = part.trim().toLowerCase();
      if (lower === '' || lower === 'close' || lower === 'keep-alive' || END_TO_END.test(lower)) continue;
      named ??= new Set();
      named.add(lower);
    }
  }
  return named ?? NOBODY;
}
