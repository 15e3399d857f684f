/** One request to a server of the customer's, and what it answers: the one place from which events and callbacks leave. */
import { type Agent, type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../runtime/clock.js';

/**
 * Milliseconds for one request, from the connection to the end of the answer.
 *
 * @limit {s} for a post of events, and for a request to a callback
 * @over it has failed, and is sent again
 */
export const POST_MS = 10_000;

/**
 * Bytes of an answer that are read, for the connection to be used again.
 *
 * @limit {KiB} of the answer to a post of events, and of one of a callback
 * @over the connection is closed; the status counts
 */
export const ANSWER_BYTES = 64 * 1024;

/**
 * Bytes of the head of an answer.
 *
 * @limit {KiB} of head of such an answer
 * @over it has failed, and is sent again
 */
export const ANSWER_HEAD_BYTES = 16 * 1024;

/** What became of a request: the status and what else counts of the answer, or why there is none, in the system's code or words. */
export type WebhookAnswer =
  | {
      readonly status: number;
      /** As it came. */
      readonly retryAfter: string | undefined;
      /** Only where it was asked for; undefined where it was too long, or broken off. */
      readonly body: Buffer | undefined;
    }
  | { readonly error: string };

/** One request. */
export interface WebhookRequest {
  /** http or https. */
  readonly url: URL;
  readonly method: string;
  /** By name; or names and values in turn, among them Content-Length, but not Host. */
  readonly headers: Readonly<Record<string, string | number>> | readonly string[];
  /** Undefined: a request without content. */
  readonly body?: string | Buffer | undefined;
  /** For the protocol of the URL. */
  readonly agent: Agent;
  /** Left out: the system's. */
  readonly lookup?: LookupFunction | undefined;
  /** Whether the content of the answer counts. */
  readonly readsBody?: boolean;
}

/** Sends a request. Redirects are not followed. Never rejects. */
export function exchange(request: WebhookRequest, clock: Clock): Promise<WebhookAnswer> {
  const { url, method, headers, body, agent, lookup, readsBody = false } = request;
  return new Promise((resolve) => {
    let outgoing: ClientRequest | undefined;
    let incoming: IncomingMessage | undefined;
    const end = (answered: WebhookAnswer) => {
      clock.clear(timer);
      resolve(answered);
    };
    const broken = (error: string) => {
      outgoing?.destroy();
      end(incoming === undefined ? { error } : answerOf(incoming, undefined));
    };
    const timer = clock.after(POST_MS, () => broken('no answer in time'));
    try {
      outgoing = (url.protocol === 'https:' ? requestTls : requestPlain)(url, {
        method,
        // A list is sent as it is.
        headers: isList(headers) ? ['Host', url.host, ...headers] : headers,
        agent,
        maxHeaderSize: ANSWER_HEAD_BYTES,
        ...(lookup && { lookup }),
      });
    } catch (error) {
      broken(reasonOf(error));
      return;
    }
    outgoing.on('error', (error) => broken(reasonOf(error)));
    outgoing.on('response', (response) => {
      incoming = response;
      collect(
        response,
        readsBody,
        () => broken('broken off'),
        (content) => end(answerOf(response, content)),
      );
    });
    outgoing.end(body);
  });
}

function isList(headers: WebhookRequest['headers']): headers is readonly string[] {
  return Array.isArray(headers);
}

function answerOf(incoming: IncomingMessage, body: Buffer | undefined): WebhookAnswer {
  return { status: incoming.statusCode ?? 0, retryAfter: incoming.headers['retry-after'], body };
}

/** Reads an answer to its end, for `done`; `cut` is called where it is too long, or breaks off. */
function collect(
  incoming: IncomingMessage,
  keeps: boolean,
  cut: () => void,
  done: (content: Buffer | undefined) => void,
): void {
  const kept: Buffer[] = [];
  let size = 0;
  incoming.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > ANSWER_BYTES) cut();
    else if (keeps) kept.push(chunk);
  });
  incoming.on('error', cut);
  incoming.on('aborted', cut);
  incoming.on('end', () => done(keeps ? Buffer.concat(kept) : undefined));
}

/** A code of the system, of TLS or of ours, else the message. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
