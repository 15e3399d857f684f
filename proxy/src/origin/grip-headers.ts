/** The GRIP header fields between proxy and origin: those added to requests, and what of an interim answer is not for clients. */
import { formatGripLast, type RawHeaders, type ResponseHead, type SigKey, signGripSig } from '@holdfast/grip';
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

/**
 * An interim head without the fields by which an origin speaks to its GRIP proxy: clients have no use for channels and links,
 * and in an interim answer they have no effect. The same object where there are none.
 */
export function withoutGrip(head: ResponseHead): ResponseHead {
  const { headers } = head;
  return hasGripField(headers) ? { ...head, headers: withoutGripFields(headers) } : head;
}

function hasGripField(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) if (isGripField(headers[i] as string)) return true;
  return false;
}

function withoutGripFields(headers: RawHeaders): string[] {
  const others: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!isGripField(headers[i] as string)) others.push(headers[i] as string, headers[i + 1] as string);
  }
  return others;
}

function isGripField(name: string): boolean {
  return name.length > 4 && name.slice(0, 5).toLowerCase() === 'grip-';
}
