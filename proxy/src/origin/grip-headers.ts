/**
 * Owns: the GRIP header fields that the proxy adds to requests. Does not own: keys (routes and config hold them), or
 * which requests get them.
 */
import { formatGripLast, type SigKey, signGripSig } from '@holdfast/grip';
import type { Clock } from '../runtime/clock.js';

/** What origins may ask of this proxy; GRIP libraries look into it. */
export const GRIP_FEATURE = [
  'status',
  'session',
  'link:next',
  'link:gone',
  'filter:skip-self',
  'filter:skip-users',
  'filter:require-sub',
  'filter:build-id',
  'filter:var-subst',
  'filter:http-check',
  'filter:http-modify',
].join(', ');

/** Makes `Grip-Sig`, `Grip-Feature` and `Grip-Last`. */
export class GripHeaders {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The fields for one request, signed as of this second and valid for an hour; unsigned without an issuer or a key.
   * `lastIds` maps unprefixed channel names to the last id known.
   */
  make(iss: string, key: SigKey | undefined, lastIds: ReadonlyMap<string, string> | undefined): string[] {
    const headers: string[] = [];
    if (key !== undefined && iss !== '') {
      headers.push('Grip-Sig', signGripSig(iss, key, Math.floor(this.#clock.wall() / 1000)));
    }
    headers.push('Grip-Feature', GRIP_FEATURE);
    for (const [channel, id] of lastIds ?? []) headers.push('Grip-Last', formatGripLast(channel, id));
    return headers;
  }
}
