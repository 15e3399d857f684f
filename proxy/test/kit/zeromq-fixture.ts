/** A node with all its ZeroMQ sockets, in front of an origin, and what listens to its statistics. */
import { join } from 'node:path';
import { decodePacket, decodeTnetstring, encodeTnetstring } from '@holdfast/grip';
import type { Test } from 'tap';
import * as zeromq from 'zeromq';
import { ask } from './clients/http-client.js';
import { openWs, type WsClient, wsUrl } from './clients/ws-client.js';
import { type EchoWitness, startEcho } from './echo-fixture.js';
import { type Holdfast, newDirectory, startHoldfast } from './holdfast.js';
import { type Origin, responseHold, startOrigin, streamHold } from './origins/origin.js';
import { until } from './until.js';

/** After this long a socket that nothing comes from fails its test. */
export const PATIENCE_MS = 30_000;

/** Members of a packet, a request or a reply. */
export type Fields = Readonly<Record<string, unknown>>;

/** A node with all four sockets, in front of an origin of holds and of both kinds of echo. */
export interface ZeroMqFixture {
  readonly holdfast: Holdfast;
  readonly http: Origin;
  readonly events: EchoWitness;
  /** Addresses of the sockets. */
  readonly uris: Readonly<Record<'pull' | 'sub' | 'command' | 'stats', string>>;
  /** Calls a method of the command socket; resolves with the answer, whose byte strings are text. */
  call(method: string, args?: Fields): Promise<Fields>;
}

/** Byte strings as text, however deep. */
function textual(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString();
  if (Array.isArray(value)) return value.map(textual);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, textual(member)]));
}

export async function startZeroMqFixture(
  t: Test,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<ZeroMqFixture> {
  const directory = newDirectory(t);
  const at = (name: string) => `ipc://${join(directory, name)}`;
  const uris = { pull: at('pull'), sub: at('sub'), command: at('command'), stats: at('stats') };
  const http = await startOrigin(t, (request, response, seen) => {
    const [, kind, channel = ''] = (request.url ?? '').split('/');
    if (kind === 'events-only') {
      response.writeHead(200, { 'Content-Type': 'application/websocket-events' });
      request.on('end', () => response.end(seen.body.startsWith('OPEN') ? 'OPEN\r\n' : ''));
    } else if (kind === 'stream') response.writeHead(200, streamHold(channel)).end('[open]\n');
    else if (kind === 'poll') response.writeHead(200, responseHold(channel)).end('nothing new\n');
    else response.end('plain\n');
  });
  const direct = await startEcho(t, 'direct');
  const events = await startEcho(t, 'over-http');
  const holdfast = await startHoldfast(t, {
    directory,
    routes: [
      `*,id=site,proto=http ${http.target}`,
      `*,proto=ws,id=direct,path_beg=/direct ${direct.target}`,
      `*,proto=ws,id=events-only,path_beg=/events-only ${http.target},over_http`,
      `*,proto=ws,id=events ${events.target},over_http`,
    ],
    settings: {
      push_in_spec: uris.pull,
      push_in_sub_specs: uris.sub,
      command_spec: uris.command,
      stats_spec: uris.stats,
      // Clients that go away are not given the time of those that only have no more to say.
      client_half_close_grace: 0,
      ...settings,
    },
  });
  const requester = new zeromq.Request({ linger: 0, receiveTimeout: PATIENCE_MS });
  t.teardown(() => requester.close());
  requester.connect(uris.command);
  let calls = 0;
  const call = async (method: string, args: Fields = {}) => {
    const id = `call-${++calls}`;
    await requester.send(encodeTnetstring({ id, method, args }));
    const [reply] = await requester.receive();
    const { id: answered, ...rest } = textual(decodeTnetstring(reply as Buffer)) as Fields;
    if (answered !== id) throw new Error(`answer to ${answered} instead of ${id}`);
    return rest;
  };
  return { holdfast, http, events, uris, call };
}

/** Hears the statistics, and keeps them. */
export class Monitor {
  readonly #packets: { readonly type: string; readonly fields: Fields }[] = [];

  /** Subscribes to all types; the feed may hear of that later. */
  constructor(t: Test, { uris }: ZeroMqFixture) {
    const socket = new zeromq.Subscriber({ linger: 0 });
    socket.connect(uris.stats);
    socket.subscribe();
    void this.#read(socket);
    t.teardown(() => socket.close());
  }

  /** Waits for a packet with these fields among others; `undefined` stands for a field that is absent. */
  packet(type: string, fields: Fields): Promise<Fields> {
    const matches = (present: Fields) => Object.entries(fields).every(([name, value]) => present[name] === value);
    return until(
      `${type} ${JSON.stringify(fields)}`,
      () => this.#packets.find((packet) => packet.type === type && matches(packet.fields))?.fields,
      () => this.#packets.map((packet) => JSON.stringify(packet)).join('\n'),
    );
  }

  get size(): number {
    return this.#packets.length;
  }

  /** All packets of a type so far. */
  all(type: string): Fields[] {
    return this.#packets.filter((packet) => packet.type === type).map(({ fields }) => fields);
  }

  async #read(socket: zeromq.Subscriber): Promise<void> {
    for await (const [message] of socket) {
      const bytes = message as Buffer;
      const space = bytes.indexOf(' ');
      const fields = textual(decodePacket(bytes.subarray(space + 1))) as Fields;
      this.#packets.push({ type: bytes.toString('latin1', 0, space), fields });
    }
  }
}

/** A monitor whose subscription has reached the feed: requests are made until it hears of one. */
export async function monitored(t: Test, fixture: ZeroMqFixture): Promise<Monitor> {
  const monitor = new Monitor(t, fixture);
  await until('a first packet', async () => {
    await ask(t, `${fixture.holdfast.clients}/plain`);
    return monitor.size > 0;
  });
  return monitor;
}

/** Opens a session that is subscribed to a channel, with its id. */
export async function openSession(
  t: Test,
  fixture: ZeroMqFixture,
  monitor: Monitor,
  path: string,
): Promise<[WsClient, string]> {
  const route = path.slice(1);
  const client = await openWs(t, wsUrl(fixture.holdfast.clients, path));
  client.send('!subscribe room');
  await client.ping('subscribed');
  const { id } = await monitor.packet('conn', { type: 'ws', route });
  return [client, id as string];
}
