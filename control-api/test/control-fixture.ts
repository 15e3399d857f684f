/** A control server on a real socket, with a real `Publisher` and `LocalBackplane` behind it. */
import type { Test } from 'tap';
import type { Backplane, ControlServerOptions, PublishLimits } from '../dist/index.js';
import { ControlServer, LocalBackplane, Publisher, silentLog } from '../dist/index.js';
import { ManualClock } from './manual-clock.js';
import { type RawAnswer, RawClient, requestBytes } from './raw-client.js';
import { RecordingEvents, RecordingListener, RecordingLog } from './recorder.js';

/** Pushpin's default of push_in_http_max_body_size. */
export const BODY_LIMIT = 1_000_000;
/** Pushpin's default of push_in_http_max_headers_size. */
export const HEADER_LIMIT = 10_000;

export type FixtureOptions = Partial<Omit<ControlServerOptions, 'publisher'>> & {
  readonly backplane?: Backplane;
  readonly limits?: PublishLimits;
};

/** Starts it, subscribed to channel `a` with two subscribers; closes it at the end of the test. */
export async function startControl(t: Test, { backplane: given, limits, ...overrides }: FixtureOptions = {}) {
  const listener = new RecordingListener();
  const events = new RecordingEvents();
  const log = new RecordingLog();
  const backplane = given ?? new LocalBackplane(silentLog);
  await backplane.start(listener);
  await backplane.subscribe('a');
  const countSubscribers = (channel: string) => (channel === 'a' ? 2 : 0);
  const publisher = new Publisher({ backplane, countSubscribers, events, log: silentLog, ...(limits && { limits }) });
  const server = new ControlServer({
    host: '127.0.0.1',
    port: 0,
    pushInHttpMaxHeadersSize: HEADER_LIMIT,
    pushInHttpMaxBodySize: BODY_LIMIT,
    publisher,
    events,
    log,
    clock: new ManualClock(),
    ...overrides,
  });
  const { port } = await server.listen();
  t.teardown(() => server.close());

  /** One request on a connection of its own. */
  async function ask(
    method: string,
    path: string,
    headers?: Record<string, string>,
    body?: string,
  ): Promise<RawAnswer> {
    const client = await RawClient.to(t, port);
    await client.write(requestBytes(method, path, headers, body));
    const answer = await client.answer(method === 'HEAD');
    client.destroy();
    if (!answer) throw new Error('the connection ended without an answer');
    return answer;
  }

  return { server, port, backplane, listener, events, log, ask, client: () => RawClient.to(t, port) };
}

/** The body of a publish of http-stream items `[channel, id]`. */
export function publishBody(...items: ReadonlyArray<readonly [channel: string, id: string]>): string {
  return JSON.stringify({
    items: items.map(([channel, id]) => ({ channel, id, formats: { 'http-stream': { content: id } } })),
  });
}

/** A publish to `a` whose body is exactly so many bytes. */
export function publishOfSize(bytes: number): string {
  const empty = JSON.stringify({ items: [{ channel: 'a', id: '1', 'http-stream': { content: '' } }] });
  return JSON.stringify({
    items: [{ channel: 'a', id: '1', 'http-stream': { content: 'x'.repeat(bytes - empty.length) } }],
  });
}
