/** An origin that a test scripts: a node:http server that notes every request. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { until } from '../until.js';

/** One request as the origin received it. */
export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: IncomingMessage['headers'];
  /** Name, value, name, value, as on the wire. */
  readonly rawHeaders: readonly string[];
  /** The body so far; whole once `complete`. */
  body: string;
  complete: boolean;
}

/** Answers one request; called as soon as its head has come. */
export type Script = (request: IncomingMessage, response: ServerResponse, seen: Seen) => void;

/** A scripted origin that listens. */
export interface Origin {
  /** `127.0.0.1:port`, as a route's target. */
  readonly target: string;
  readonly seen: readonly Seen[];
  /** Waits until so many requests have come whole; resolves with them. */
  requests(count: number): Promise<readonly Seen[]>;
}

/** How the origin is served. */
export interface OriginOptions {
  /** TLS, with these certificates. */
  readonly tls?: ServerOptions;
  /** False leaves bodies to the script: for those too large to be kept. */
  readonly keepBodies?: boolean;
}

/** Starts an origin on a free port; it is cut off when the test ends. */
export async function startOrigin(t: Test, script: Script, options: OriginOptions = {}): Promise<Origin> {
  const { tls, keepBodies = true } = options;
  const seen: Seen[] = [];
  const take = (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', headers, rawHeaders } = request;
    const entry: Seen = { method, url, headers, rawHeaders, body: '', complete: false };
    seen.push(entry);
    if (keepBodies) {
      request.setEncoding('utf8');
      request.on('data', (text: string) => {
        entry.body += text;
      });
      request.on('error', () => {});
      request.on('end', () => {
        entry.complete = true;
      });
    }
    script(request, response, entry);
  };
  const server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const complete = () => seen.filter((entry) => entry.complete);
  return {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    requests: async (count) => {
      await until(`${count} requests at the origin`, () => complete().length >= count);
      return complete();
    },
  };
}

/** Header fields of a stream hold. */
export const streamHold = (channel: string, headers: Readonly<Record<string, string>> = {}) => ({
  'Content-Type': 'text/plain',
  'Grip-Hold': 'stream',
  'Grip-Channel': channel,
  ...headers,
});

/** Header fields of a response hold. Without a Grip-Timeout among `headers` it times out after 55 s. */
export const responseHold = (channel: string, headers: Readonly<Record<string, string>> = {}) => ({
  'Content-Type': 'text/plain',
  'Grip-Hold': 'response',
  'Grip-Channel': channel,
  ...headers,
});
