/** ZeroMQ sockets of a node on free ports, with a real `Publisher` and `LocalBackplane` behind them, and real clients. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import * as zeromq from 'zeromq';
import {
  type Backplane,
  type Connections,
  type Containment,
  LocalBackplane,
  Publisher,
  type PublishLimits,
  silentLog,
  type ZeroMqAddress,
  ZeroMqSockets,
  type ZeroMqSpecs,
} from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingEvents, RecordingListener, RecordingLog } from '../recorder.js';

/** A spec for a free port. */
export const ANY = 'tcp://127.0.0.1:*';

/** Milliseconds a client of a test waits for a message before it fails. */
export const PATIENCE_MS = 30_000;

const none: ZeroMqSpecs = {
  pushInSpec: undefined,
  pushInSubSpecs: [],
  pushInSubConnect: false,
  commandSpec: undefined,
  statsSpec: undefined,
};

const nobody: Connections = { connected: () => [], refresh: () => false };

/** Replacements for parts of the node. */
export interface Replacements {
  readonly backplane?: Backplane;
  readonly connections?: Connections;
  readonly wantsChanged?: () => void;
  readonly limits?: PublishLimits;
  readonly faults?: Containment;
}

/** Makes the sockets, not yet open, on a node that is subscribed to channels `a` and `b`; closes them with the test. */
export async function makeSockets(t: Test, specs: Partial<ZeroMqSpecs>, replaced: Replacements = {}) {
  const { backplane = new LocalBackplane(silentLog), connections = nobody, wantsChanged = () => {}, limits } = replaced;
  const listener = new RecordingListener();
  const events = new RecordingEvents();
  const log = new RecordingLog();
  await backplane.start(listener);
  for (const channel of ['a', 'b']) await backplane.subscribe(channel);
  const publisher = new Publisher({
    backplane,
    countSubscribers: () => 1,
    events,
    log: silentLog,
    ...(limits && { limits }),
  });
  const clock = new ManualClock();
  const sockets = new ZeroMqSockets({
    specs: { ...none, ...specs },
    publisher,
    connections,
    wantsChanged,
    events,
    log,
    clock,
    ...(replaced.faults && { faults: replaced.faults }),
  });
  t.teardown(() => sockets.close());
  return { sockets, backplane, listener, events, log, clock };
}

/** The same, opened. */
export async function openSockets(t: Test, specs: Partial<ZeroMqSpecs>, replaced: Replacements = {}) {
  const made = await makeSockets(t, specs, replaced);
  const addresses = await made.sockets.open();
  return { ...made, addresses, uri: (what: ZeroMqAddress['what']) => uriOf(addresses, what) };
}

function uriOf(addresses: readonly ZeroMqAddress[], what: ZeroMqAddress['what']): string {
  const found = addresses.find((address) => address.what === what);
  if (found === undefined) throw new Error(`no socket for ${what}`);
  return found.uri;
}

/** A client socket, connected or bound, which gives up after {@link PATIENCE_MS} and goes with the test. */
export function client<Socket extends zeromq.Socket>(
  t: Test,
  make: (options: { linger: number; receiveTimeout?: number; sendTimeout?: number }) => Socket,
  uri?: string,
): Socket {
  const socket = make({ linger: 0 });
  if ('receiveTimeout' in socket) socket.receiveTimeout = PATIENCE_MS;
  if ('sendTimeout' in socket) socket.sendTimeout = PATIENCE_MS;
  if (uri !== undefined) socket.connect(uri);
  t.teardown(() => socket.close());
  return socket;
}

/** A PUSH publisher. */
export const push = (t: Test, uri: string) => client(t, () => new zeromq.Push({ linger: 0 }), uri);

/** An XPUB publisher; without a uri it is neither bound nor connected. */
export const xpub = (t: Test, uri?: string) => client(t, () => new zeromq.XPublisher({ linger: 0 }), uri);

/** A REQ client of the command socket. */
export const req = (t: Test, uri: string) => client(t, () => new zeromq.Request({ linger: 0 }), uri);

/** The next change of subscriptions that an XPUB publisher sees: `+channel` or `-channel`. */
export async function change(publisher: zeromq.XPublisher): Promise<string> {
  const [message] = await publisher.receive();
  if (message === undefined) throw new Error('an empty message');
  return `${message[0] === 1 ? '+' : '-'}${message.toString('utf8', 1)}`;
}

/** A new directory that goes with the test; its path is short enough for a socket. */
export function newDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'hf-zmq-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Waits until a condition holds: for effects that nothing announces. Fails after {@link PATIENCE_MS}. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
