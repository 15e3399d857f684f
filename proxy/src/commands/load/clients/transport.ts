/** What a connection of a client is to the rest of a load run, and what the kinds of connections have in common. */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { OwnPorts } from './own-ports.js';

/** What a client is: an event stream, a stream whose items are lines, a WebSocket, a long poll. */
export const kinds = ['sse', 'stream', 'ws', 'poll'] as const;

/** One of {@link kinds}. */
export type Kind = (typeof kinds)[number];

/** Where all clients go, and how. */
export interface Target {
  /** `http:` or `https:`, for WebSockets too. */
  readonly url: URL;
  readonly kind: Kind;
  /** In the order in which they are sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The first message of a WebSocket. */
  readonly send: string | undefined;
  /** Own addresses that clients take in turns; without any the system chooses. */
  readonly own: OwnPorts;
  /** For the server to answer a stream or a handshake, in ms. */
  readonly timeout: number;
}

/** How a connection ended. */
export interface Ending {
  /** In few words, and the same for all that end so. */
  readonly reason: string;
  /** The server does not want this client: an honest one does not come again. */
  readonly isFinal?: boolean;
  /** ms for which the server asks to wait. */
  readonly after?: number | undefined;
}

/** What a connection says. */
export interface Listener {
  /** It is held: what is published from now on is owed to it. Once. */
  held(): void;
  /** Text of a stream as it comes; a body or message as a whole. In Latin-1. Returns whether there was an item in it. */
  text(text: string): boolean;
  /** It is over. Once, and nothing follows; not after {@link End}. */
  ended(ending: Ending): void;
}

/** Ends a connection from this side. */
export type End = () => void;

/**
 * Seconds.
 *
 * @limit {} s that `holdfast load` takes from a Retry-After
 * @over it comes again as without one
 */
const RETRY_AFTER_MAX = 600;

/** Statuses below 500 after which it is right to come again (RFC 9110, RFC 6585, RFC 8470). */
const passing = new Set([408, 421, 425, 429]);

/** What an answer means that is not what was asked for. */
export function statusEnding({ statusCode = 0, headers }: IncomingMessage): Ending {
  const seconds = Number(headers['retry-after']);
  const after = seconds >= 0 && seconds <= RETRY_AFTER_MAX ? seconds * 1_000 : undefined;
  return { reason: `status ${statusCode}`, isFinal: statusCode < 500 && !passing.has(statusCode), after };
}

/** What an error means: the system's code, which is the same for all. */
export function errorEnding(error: NodeJS.ErrnoException): Ending {
  // Several addresses were tried.
  const first = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException) : error;
  return { reason: String(error.code ?? first.code ?? first.message).slice(0, 100) };
}

/** The fields of a request: what is given replaces what is usual, and adds up with what is given. */
export function headersOf({ headers }: Target, usual: Readonly<Record<string, string>>) {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const all: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(usual)) if (!given.has(name.toLowerCase())) all[name] = value;
  const names = new Map<string, string>();
  for (const [name, value] of headers) {
    const known = names.get(name.toLowerCase()) ?? name;
    names.set(name.toLowerCase(), known);
    all[known] = all[known] === undefined ? value : [all[known], value].flat();
  }
  return all;
}

/** A request that has not been sent yet. */
export function makeRequest({ url }: Target, options: RequestOptions): ClientRequest {
  return (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options);
}
