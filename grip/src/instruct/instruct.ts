/** The instruct, with which an origin answers how a request is held; and whether a response head has one. */
import type { Buffer } from 'node:buffer';
import type { Channel } from '../channel.js';
import type { Writable } from '../wire/fields.js';
import type { RawHeaders, ResponseHead } from '../wire/head.js';
import type { CallbackInstruct } from './callback.js';
import type { Expires } from './expires.js';
import type { KeepAlive } from './keep-alive.js';
import type { Links } from './link.js';
import type { ResumeTokenWish } from './resume-token.js';

/** `response`: a long-poll, answered by the first item. `stream`: an open response to which items are appended. */
export type HoldMode = 'response' | 'stream';

/** Whether a text names a mode. */
export function isHoldMode(text: string | undefined): text is HoldMode {
  return text === 'response' || text === 'stream';
}

/** That the connection is to be held open, and on what. */
export interface Hold {
  readonly mode: HoldMode;
  /** In the order in which they were named, duplicates kept (the last one's parameters count). May be empty. */
  readonly channels: readonly Channel[];
  /** Seconds until a response hold is answered without an item; at least 5, up to 2^31-1. No meaning for a stream. */
  readonly timeout: number;
  /** Stream mode only. */
  readonly keepAlive?: KeepAlive;
  /** When the origin is to be asked again, or the client to come back; absent: never. May be over already. */
  readonly expires?: Expires;
}

/**
 * What the client is to get: the answer of a response hold that times out, the head of a stream, or the whole response
 * if there is no hold. Grip-*, Connection with all it names, Keep-Alive, Transfer-Encoding and Content-Length are gone,
 * Grip-Status and Grip-Expose-Headers are applied.
 */
export interface InstructResponse {
  /** 200 to 999. */
  readonly code: number;
  /** Latin-1; may be empty. */
  readonly reason: string;
  readonly headers: RawHeaders;
  /** Only in the JSON form, and there always. In the header form the body is that of the origin's response. */
  readonly body?: Buffer;
}

/** A member without a meaning: in what, its name, and the names that would have one. */
export interface UnknownMember {
  readonly where: string;
  readonly name: string;
  readonly known: readonly string[];
}

/** A parsed instruct. */
export interface Instruct {
  /** Absent if nothing is to be held: then `response` is relayed, followed by `links.next` if there is one. */
  readonly hold?: Hold;
  /** Channels named without a hold: the fetch of a next link reports their last ids. Absent if there is a hold or a callback. */
  readonly channels?: readonly Channel[];
  /** Subscription meta, for filters. Without prototype. */
  readonly meta: Readonly<Record<string, string>>;
  readonly links: Links;
  /** A server's durable subscription that is made or ended before `response` goes out; never beside a hold. */
  readonly callback?: CallbackInstruct;
  /** Names in lower case, of the only headers that the client may see; absent if it may see all. */
  readonly exposeHeaders?: readonly string[];
  readonly response: InstructResponse;
  /** Without a hold: the response is to say where `channels` stand. Absent if not. */
  readonly position?: true;
  /** The client may come back without the origin being asked; absent if it may not. */
  readonly resumeToken?: ResumeTokenWish;
  /** In the JSON form, the first members that mean nothing, for the log; absent if there are none. */
  readonly unknown?: readonly UnknownMember[];
}

/**
 * @limit {} s as the time-out of a response hold whose origin gives none
 * @over the hold ends with the origin's own answer
 */
const DEFAULT_HOLD_TIMEOUT = 55;

/**
 * Shortest response hold in seconds: less is raised to it, so that no client polls in a tight loop.
 *
 * @limit {} s as the shortest time-out of a response hold
 * @over a shorter one is raised
 */
const MIN_HOLD_TIMEOUT = 5;

/** Builds a hold, with the default timeout or at least the shortest one. */
export function makeHold(
  mode: HoldMode,
  channels: readonly Channel[],
  timeout: number | undefined,
  keepAlive: KeepAlive | undefined,
  expires: Expires | undefined,
): Hold {
  const seconds = Math.max(timeout ?? DEFAULT_HOLD_TIMEOUT, MIN_HOLD_TIMEOUT);
  const hold: Writable<Hold> = { mode, channels, timeout: seconds };
  if (keepAlive !== undefined) hold.keepAlive = keepAlive;
  if (expires !== undefined) hold.expires = expires;
  return hold;
}

const instructType = 'application/grip-instruct';

/**
 * Whether a response is an instruct, and in which form: `json` if its media type is application/grip-instruct, else
 * `headers` if any header name begins with `Grip-`, known or not. Runs on every proxied response, so it allocates
 * nothing.
 */
export function instructKind(head: ResponseHead): 'none' | 'headers' | 'json' {
  const { headers } = head;
  let kind: 'none' | 'headers' = 'none';
  let typed = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (hasPrefix(name, 'grip-')) {
      kind = 'headers';
    } else if (!typed && name.length === 12 && hasPrefix(name, 'content-type')) {
      typed = true;
      if (isInstructType(headers[i + 1] as string)) return 'json';
    }
  }
  return kind;
}

/** Whether `text` begins with `prefix`, which must be in lower case, whatever the case of `text`. */
function hasPrefix(text: string, prefix: string, start = 0): boolean {
  if (text.length - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    const code = text.charCodeAt(start + i);
    if ((code >= 0x41 && code <= 0x5a ? code + 0x20 : code) !== prefix.charCodeAt(i)) return false;
  }
  return true;
}

/** Whether a Content-Type value is the instruct type, with or without parameters and surrounding space. */
function isInstructType(value: string): boolean {
  const start = skipSpace(value, 0);
  if (!hasPrefix(value, instructType, start)) return false;
  const end = skipSpace(value, start + instructType.length);
  return end === value.length || value[end] === ';';
}

function skipSpace(text: string, start: number): number {
  let i = start;
  while (text[i] === ' ' || text[i] === '\t') i++;
  return i;
}
