/** Tokens of subscribers, and a node with a `subscribe` target that takes them. */
import { readJwtKey } from '@holdfast/grip';
import type { Test } from 'tap';
import { type Holdfast, type HoldfastOptions, startHoldfast } from '../../kit/holdfast.js';

/** The key of the target. */
export const KEY = 'the-key-of-subscribers-0123';

/** Seconds since the epoch. */
export const now = () => Math.floor(Date.now() / 1_000);

/** A token with these claims that counts for a minute. */
export const token = (claims: object, key = KEY): string => readJwtKey(key).sign({ exp: now() + 60, ...claims });

/** A token of a user for channels. */
export const tokenFor = (sub: string, ...channels: string[]): string => token({ sub, channels });

/** As a field of a request. */
export const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

/** A node with one `subscribe` target below `/sub`; further properties begin with a comma. */
export function startSubscribe(
  t: Test,
  { target = '', route = '', ...options }: HoldfastOptions & { readonly target?: string; readonly route?: string } = {},
): Promise<Holdfast> {
  const line = `*,path_beg=/sub${route} subscribe,token_key=${KEY}${target}`;
  return startHoldfast(t, {
    ...options,
    routes: [line, ...(options.routes ?? [])],
    settings: { client_half_close_grace: 0, ...options.settings },
  });
}
