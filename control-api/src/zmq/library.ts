/** Loads the ZeroMQ library, which need not be installed. The only importer of zeromq. */
import type * as zeromq from 'zeromq';
import { ControlError } from '../errors.js';

/** The library's module. */
export type Library = typeof zeromq;
/** What its sockets live in. */
export type Context = zeromq.Context;
/** Any of its sockets. */
export type Socket = zeromq.Socket;
/** PULL. */
export type Pull = zeromq.Pull;
/** ROUTER. */
export type Router = zeromq.Router;
/** SUB. */
export type Subscriber = zeromq.Subscriber;
/** XPUB. */
export type XPublisher = zeromq.XPublisher;

/**
 * Messages that may wait in a socket, in each direction and per connection: as many as in Pushpin. Over: see each socket.
 *
 * @limit {} messages in a ZeroMQ socket, for each connection
 * @over PULL: publishers block. SUB and statistics: dropped by ZeroMQ
 */
export const HIGH_WATER_MARK = 101_000;

/**
 * Bytes of one part of a message: a large multiple of what the control API takes by default. Over: the library cuts the
 * connection on which it comes, before it is in memory; what else was sent on it is lost. How many parts a message has the
 * library lets nobody limit.
 *
 * @limit {MiB} of one part of a ZeroMQ message
 * @over ZeroMQ cuts the connection
 */
export const MAX_PART_BYTES = 67_108_864;

/**
 * Loads the library. Rejects with `ControlError` ERR_ZMQ_MISSING, whose message says what to install. `load` is replaced
 * in tests.
 */
export async function loadLibrary(load: () => Promise<Library> = () => import('zeromq')): Promise<Library> {
  try {
    return await load();
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const why = absent ? 'is not installed' : `cannot be loaded (${(cause as Error).message})`;
    throw new ControlError(
      'ERR_ZMQ_MISSING',
      `ZeroMQ is asked for, but the package zeromq ${why}: run \`npm install zeromq\`, or do without ZeroMQ sockets.`,
      { cause },
    );
  }
}
