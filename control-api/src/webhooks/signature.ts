/** Signatures of what is sent to servers of the customer's, events and callbacks alike: Standard Webhooks, symmetric (`v1`), https://www.standardwebhooks.com */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Clock } from '../runtime/clock.js';

/** What a key begins with; the rest is base64. */
const KEY_PREFIX = 'whsec_';

/** Bytes of a key, at least and at most; so in Standard Webhooks. */
const KEY_BYTES = { min: 24, max: 64 } as const;

/**
 * Keys that sign side by side: the one in use and the one that takes its place, with some room.
 *
 * @limit {} keys in `events_key`, and in the secret of a callback
 * @over the start fails; the callback is refused
 */
export const EVENT_KEYS_MAX = 5;

/** RFC 4648 §4, whole, with or without padding. */
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** A key that signs. */
export type EventKey = KeyObject;

/**
 * Reads the keys of `events_key`, or of a callback's secret, which white space or commas divide.
 * @throws Error that says what is wrong, and shows nothing of a key
 */
export function readEventKeys(text: string): readonly EventKey[] {
  const keys = text.split(/[\s,]+/).filter((key) => key !== '');
  if (keys.length === 0) throw new Error('there is no key in it');
  if (keys.length > EVENT_KEYS_MAX) throw new Error(`${keys.length} keys are too many: at most ${EVENT_KEYS_MAX}`);
  return keys.map((key, at) => {
    const which = keys.length === 1 ? 'the key' : `key ${at + 1}`;
    const base64 = key.slice(KEY_PREFIX.length);
    if (!key.startsWith(KEY_PREFIX) || !BASE64.test(base64)) {
      throw new Error(
        `${which} must be ${KEY_PREFIX} and base64, as \`echo ${KEY_PREFIX}$(openssl rand -base64 32)\` gives`,
      );
    }
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length < KEY_BYTES.min || bytes.length > KEY_BYTES.max) {
      throw new Error(`${which} has ${bytes.length} bytes: ${KEY_BYTES.min} to ${KEY_BYTES.max} are needed`);
    }
    return createSecretKey(bytes);
  });
}

/**
 * The value of `webhook-signature`: one signature for each key, in their order. `timestamp` is in whole seconds since the epoch, as in
 * `webhook-timestamp`.
 */
export function signatures(keys: readonly EventKey[], id: string, timestamp: number, body: string | Buffer): string {
  return keys
    .map((key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`)
    .join(' ');
}

/** The fields of Standard Webhooks, of an attempt that is made now. */
export function signedFields(
  keys: readonly EventKey[],
  id: string,
  clock: Clock,
  body: string | Buffer,
): Readonly<Record<string, string | number>> {
  // The time of this attempt, and not of the first: receivers refuse what is older than some minutes.
  const timestamp = Math.floor(clock.wall() / 1_000);
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures(keys, id, timestamp, body),
  };
}
