/**
 * Owns: what an origin stores at the proxy with `Set-Meta-*` and finds in every later request of the session as
 * `Meta-*`. Does not own: the meta of subscriptions, which control messages set.
 */
import type { RawHeaders } from '@holdfast/grip';
import { OriginError } from '../../errors.js';

const PREFIX = 'set-meta-';

/**
 * Most bytes of names and values together. Each entry is a header field of every request: more than this fits no
 * server's limit of a request head anyhow.
 *
 * @limit {} bytes of meta that an origin keeps at a session over HTTP
 * @over session broken off
 */
export const META_MAX_BYTES = 65_536;

/** The entries of one session, in the order in which they were set. */
export class HttpMeta {
  /** Lower-case name → name as it came, value. */
  readonly #entries = new Map<string, readonly [name: string, value: string]>();

  /**
   * Takes the `Set-Meta-*` fields of an answer over: a later one replaces an earlier one of the same name, whatever its
   * case, and an empty one removes it. Throws OriginError ERR_ORIGIN_MALFORMED beyond {@link META_MAX_BYTES}.
   */
  take(headers: RawHeaders): void {
    let taken = false;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      if (!isSetMeta(name)) continue;
      const value = headers[i + 1] as string;
      const short = name.slice(PREFIX.length);
      this.#entries.delete(short.toLowerCase());
      if (value !== '') this.#entries.set(short.toLowerCase(), [short, value]);
      taken = true;
    }
    if (taken && this.#bytes > META_MAX_BYTES) {
      throw new OriginError('ERR_ORIGIN_MALFORMED', `more than ${META_MAX_BYTES} bytes of meta`, 'no');
    }
  }

  /** The `Meta-*` fields of a request. */
  get headers(): string[] {
    return [...this.#entries.values()].flatMap(([name, value]) => [`Meta-${name}`, value]);
  }

  get #bytes(): number {
    return this.headers.reduce((sum, text) => sum + text.length, 0);
  }
}

/** Whether a header field sets meta. */
export function isSetMeta(name: string): boolean {
  return name.length > PREFIX.length && name.slice(0, PREFIX.length).toLowerCase() === PREFIX;
}

/** Whether an answer has such a field. */
export function setsMeta(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) if (isSetMeta(headers[i] as string)) return true;
  return false;
}
