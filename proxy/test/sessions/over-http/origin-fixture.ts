/**
 * Owns: an HTTP origin socket under test, with a real server, a clock that stands still and an owner that notes.
 * Does not own: what is tried on it.
 */
import type { Test } from 'tap';
import type { Origin } from '../../../dist/origin/port.js';
import { HttpOrigin, type HttpOriginDeps } from '../../../dist/sessions/over-http/origin.js';
import { ManualClock } from '../../kit/manual-clock.js';
import { OriginRecorder } from '../origin-recorder.js';
import { accept, EventsServer, type Reply, reply, type Script, type SeenRequest } from './events-server.js';

/** A socket under test and what is around it. */
export interface Scene {
  readonly server: EventsServer;
  readonly clock: ManualClock;
  readonly heard: OriginRecorder;
  readonly socket: ReturnType<OriginRecorder['watch']>;
  /** Sends a text message. */
  readonly say: (text: string) => boolean;
  /** Number of times that headers were made. */
  readonly made: () => number;
}

/** What a test may choose. */
export type Options = Partial<Pick<HttpOriginDeps, 'oneEvent' | 'offersGrip' | 'maxMessage'>> & {
  readonly origin?: Origin;
};

/** A socket whose OPEN is on its way to a server with this script. */
export async function dial(t: Test, script: Script, { origin: other, ...options }: Options = {}): Promise<Scene> {
  const server = await EventsServer.start(t, script);
  const clock = new ManualClock();
  const heard = new OriginRecorder();
  let made = 0;
  const asked = other ?? server.origin;
  const parts: HttpOriginDeps = {
    dispatch: (extra, body, handler) => {
      const headers = ['Host', 'h', 'Grip-Sig', `${++made}`, ...extra];
      return asked.dispatch({ method: 'POST', path: '/ws?a=1', headers, body }, handler);
    },
    clock,
    random: () => 0.5,
    connectionId: 'id-1',
    offersGrip: true,
    oneEvent: false,
    maxMessage: 1_000_000,
    ...options,
  };
  const origin = new HttpOrigin(parts, heard);
  const socket = heard.watch(origin);
  origin.start();
  const say = (text: string) => socket.send('text', Buffer.from(text));
  return { server, clock, heard, socket, say, made: () => made };
}

/** The same with OPEN accepted; the script sees what follows. */
export async function open(t: Test, script: Script = () => reply(), first: Reply = accept(), options: Options = {}) {
  const scene = await dial(t, (seen, index) => (index === 0 ? first : script(seen, index)), options);
  await scene.heard.heard('accepted');
  return scene;
}

/** Replies in turn, then empty ones. */
export const inTurn =
  (...replies: Reply[]): Script =>
  (_, index) =>
    replies[index - 1] ?? reply();

/** A reply that is given when told. */
export function held(): { readonly reply: Promise<Reply>; give(reply: Reply): void } {
  let give = (_: Reply) => {};
  const promise = new Promise<Reply>((resolve) => {
    give = resolve;
  });
  return { reply: promise, give: (reply) => give(reply) };
}

/** Requests in short. */
export const shorts = (seen: readonly SeenRequest[]) => seen.map(({ short }) => short);
