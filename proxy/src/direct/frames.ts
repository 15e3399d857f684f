/** What a client of a `subscribe` target says on its WebSocket, and what it is answered: one JSON object per text message. */
import { isUtf8 } from 'node:buffer';
import { readJson } from '@holdfast/grip';
import { MAX_TOKEN } from './token-source.js';

/**
 * Bytes of a frame: some hundred channels, or a token.
 *
 * @limit {KiB} of a frame of a client at a `subscribe` target
 * @over it is answered with an error
 */
export const MAX_FRAME = 16 * 1024;

/** Characters of an `id`. */
const MAX_ID = 100;

/** One frame: `{"subscribe":["a"],"unsubscribe":["b"],"token":"…","id":1}`, each member where it is wanted. */
export interface Frame {
  /** Goes back with the answer. */
  readonly id: string | number | undefined;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly token: string | undefined;
}

/** Why a frame has no effect. */
export type FrameError =
  | 'bad_frame'
  | 'bad_channel'
  | 'forbidden'
  | 'too_many'
  | 'bad_token'
  | 'other_user'
  | 'expired'
  | 'unavailable';

/** What is answered: `subscribed` and `unsubscribed` are channels, as they are named. */
export type FrameAnswer =
  | { readonly holdfast: 'ok'; readonly subscribed?: readonly string[]; readonly unsubscribed?: readonly string[] }
  | { readonly holdfast: 'error'; readonly error: FrameError; readonly channel?: string };

/** The frame in a message, or undefined for what is none: nothing of it has an effect then. */
export function readFrame(type: 'text' | 'binary', data: Buffer): Frame | undefined {
  if (type !== 'text' || data.length > MAX_FRAME || !isUtf8(data)) return undefined;
  const { value } = readJson(data.toString('utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { id, subscribe = [], unsubscribe = [], token, ...others } = value as Readonly<Record<string, unknown>>;
  const isKnown = Object.keys(others).length === 0;
  const asksNothing = token === undefined && !('subscribe' in value) && !('unsubscribe' in value);
  if (!isKnown || asksNothing || !isId(id) || !areNames(subscribe) || !areNames(unsubscribe)) return undefined;
  if (token !== undefined && (typeof token !== 'string' || token.length > MAX_TOKEN)) return undefined;
  return { id, subscribe: [...new Set(subscribe)], unsubscribe: [...new Set(unsubscribe)], token };
}

/** The message for the client. */
export function answerFrame(answer: FrameAnswer, id: string | number | undefined): string {
  return JSON.stringify(id === undefined ? answer : { ...answer, id });
}

function isId(id: unknown): id is string | number | undefined {
  return id === undefined || typeof id === 'number' || (typeof id === 'string' && id.length <= MAX_ID);
}

function areNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}
