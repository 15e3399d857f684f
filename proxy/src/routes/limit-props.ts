/** The properties by which a route limits its clients: how they are written, and what they mean. */
import type { Rate } from '@holdfast/control-api';
import { isToken } from '@holdfast/grip';
import { parseSize } from '../config/parse-option.js';

/** What the limits of a route go by: the client's address, a field of its requests, or the user that the origin names. */
export type LimitKey = 'address' | 'user' | { readonly header: string };

/** The limits of a route; each left out for none. */
export interface RouteLimitProps {
  readonly limitKey: LimitKey;
  /** Requests. */
  readonly limitRate: Rate | undefined;
  /** Holds and WebSocket sessions at a time, 1 at least. */
  readonly limitHolds: number | undefined;
  /**
   * Longest message of a WebSocket client, in bytes.
   *
   * @limit `ws_message_max` of a route: bytes of a message of its WebSocket clients; without it `websocket_message_max` alone
   * @over session closed with 1009, counted and logged
   */
  readonly wsMessageMax: number | undefined;
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

/** `20/s`, `20/s:40`, `100/m`: so many in a second, minute or hour, and at once; twice as many where that is left out. */
export function parseRate(text: string): Rate | undefined {
  const [, digits, unit = '', burst] = /^(\d{1,9})\/([smh])(?::(\d{1,9}))?$/.exec(text) ?? [];
  const count = Number(digits);
  const atOnce = burst === undefined ? 2 * count : Number(burst);
  if (digits === undefined || count === 0 || atOnce === 0) return undefined;
  return { perSecond: count / (SECONDS[unit] as number), burst: atOnce };
}

/** `address`, `user` or `header:NAME`. */
export function parseLimitKey(text: string): LimitKey | undefined {
  if (text === 'address' || text === 'user') return text;
  const header = /^header:(.+)$/.exec(text)?.[1];
  return header !== undefined && isToken(header) ? { header: header.toLowerCase() } : undefined;
}

/** Whole bytes, with or without a unit; 0 for anything else. */
export function parseMessageMax(text: string): number {
  return parseSize(text) ?? 0;
}
