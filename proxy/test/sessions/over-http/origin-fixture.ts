/** An origin over HTTP as the product dials it, with a real server, a clock that stands still and a recorder for its session. */
import type { RawHeaders } from '@holdfast/grip';
import type { Test } from 'tap';
import type { Origin } from '../../../dist/origin/port.js';
import type { HttpTarget } from '../../../dist/routes/target.js';
import type { OriginHandshakeOwner, OriginSocket } from '../../../dist/sessions/origin-socket.js';
import { type AppOptions, makeNode, noteCalls } from '../../kit/app.js';
import { ManualClock } from '../../kit/manual-clock.js';
import { OriginRecorder } from '../origin-recorder.js';
import { accept, EventsServer, type Reply, reply, type Script, type SeenRequest } from './events-server.js';

/** A socket under test and what is around it. */
export interface OriginFixture {
  readonly server: EventsServer;
  readonly clock: ManualClock;
  readonly recorder: OriginRecorder;
  readonly socket: ReturnType<OriginRecorder['watch']>;
  /** Sends a text message. */
  readonly say: (text: string) => boolean;
  /** How often a request was attempted. */
  readonly made: () => number;
}

/** What a test may choose. */
export interface Options {
  /** Properties of the target beside `over_http`. */
  readonly target?: string;
  /** Whether `grip` is offered; it is unless this says otherwise. */
  readonly offersGrip?: boolean;
  /** Header fields of the client's handshake. */
  readonly headers?: RawHeaders;
  /** Takes the place of the connections to the server. */
  readonly origin?: Origin;
  /** The server is not there. */
  readonly isDown?: boolean;
}

/** Has the product ask a server to take a session; what it has opened is closed with the test. */
export function dialServer(
  t: Test,
  server: EventsServer,
  owner: OriginHandshakeOwner,
  { target: properties, offersGrip = true, headers = [] }: Options = {},
  node: AppOptions = {},
): { readonly socket: OriginSocket; readonly made: () => number } {
  const line = `* 127.0.0.1:${server.port},over_http${properties === undefined ? '' : `,${properties}`}`;
  const { parts } = makeNode({ ...node, routes: [line] });
  t.teardown(() => parts.origins.close());
  let made = 0;
  noteCalls(parts.origins, 'origin', () => {
    made++;
  });
  const [route] = parts.routes.table.routes;
  if (route === undefined) throw new Error('no route');
  const [target] = route.targets;
  const request = {
    id: 'r1',
    method: 'GET',
    path: '/ws?a=1',
    host: 'woh.test',
    version: '1.1',
    headers: ['Host', 'woh.test', ...headers],
    secure: false,
    clientAddress: '127.0.0.1',
    body: undefined,
  };
  const trust = { secure: false, trusted: false };
  const dial = { connectionId: 'id-1', request, route, trust, extension: offersGrip ? 'grip' : '' };
  return { socket: parts.requests.sessions.dial(dial, target as HttpTarget, owner), made: () => made };
}

/** A socket whose OPEN is on its way to a server with this script. */
export async function dial(t: Test, script: Script, options: Options = {}): Promise<OriginFixture> {
  const server = await EventsServer.start(t, script);
  if (options.isDown) server.stop();
  const clock = new ManualClock();
  const recorder = new OriginRecorder();
  const { origin } = options;
  const origins = origin && { origin: () => origin, close: () => Promise.resolve() };
  const { socket: dialed, made } = dialServer(t, server, recorder, options, {
    settings: { websocket_message_max: 1_000_000, sig_key: 'proxy' },
    overrides: { clock, random: () => 0.5, ...(origins && { origins }) },
  });
  const socket = recorder.watch(dialed);
  const say = (text: string) => socket.send('text', Buffer.from(text));
  return { server, clock, recorder, socket, say, made };
}

/** The same with OPEN accepted; the script sees what follows. */
export async function open(t: Test, script: Script = () => reply(), first: Reply = accept(), options: Options = {}) {
  const fixture = await dial(t, (seen, index) => (index === 0 ? first : script(seen, index)), options);
  await fixture.recorder.saw('accepted');
  return fixture;
}

/** Replies in turn, then empty ones. */
export const inTurn =
  (...replies: Reply[]): Script =>
  (_, index) =>
    replies[index - 1] ?? reply();

/** A reply in the hands of the test. */
export function held(): { readonly reply: Promise<Reply>; give(reply: Reply): void } {
  let give = (_: Reply) => {};
  const promise = new Promise<Reply>((resolve) => {
    give = resolve;
  });
  return { reply: promise, give: (reply) => give(reply) };
}

/** Requests in short. */
export const shorts = (seen: readonly SeenRequest[]) => seen.map(({ short }) => short);
