/** Which paths past the public interfaces of node and undici this process can use. */
import { createServer, type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { attachHttp, canFlushBodiless, canHoldReading, detachHttp, isDetached } from './http-socket.js';
import { handlePrototype, queuedWrites, streamBinding } from './socket-writes.js';

/**
 * The paths, as the label of the metric has them:
 * `direct_write`: deliveries go to the socket without node's stream; else through it.
 * `idle_connection`: held connections keep no HTTP parser; else they do, in twice the memory.
 * `read_pause`: requests behind a pipelined one stop being read at once; else by pausing the socket alone.
 * `bodiless_head`: heads without a body go out as Latin-1; else as UTF-8.
 * `write_queue`: writes that wait for a slow client count beside their bytes; else their bytes alone.
 * `write_progress`: after a half-close, bytes count that the client takes of one long write; else only whole writes.
 * `origin_parser`: reason phrases and framing of origins are read exactly; else as undici reads them.
 */
export const fastPaths = [
  'direct_write',
  'idle_connection',
  'read_pause',
  'bodiless_head',
  'write_queue',
  'write_progress',
  'origin_parser',
] as const;

export type FastPath = (typeof fastPaths)[number];

const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: probe\r\n\r\n');

/**
 * What is known of each path. Each has a fall-back that costs more; they are probed once at the start, so that a new version of
 * node or undici shows in the log and the metrics and not only in the load.
 */
export class FastPaths {
  readonly #active = new Map<FastPath, boolean>();

  /** Probes what can be probed without a connection: all but `origin_parser`, which the first connection to an origin shows. */
  static probe(): FastPaths {
    const paths = new FastPaths();
    const { idleConnection, readPause } = probeHttp();
    const handle = handlePrototype();
    paths.report('direct_write', streamBinding() !== undefined && typeof handle?.writeBuffer === 'function');
    paths.report('idle_connection', idleConnection);
    paths.report('read_pause', readPause);
    paths.report('bodiless_head', canFlushBodiless(ServerResponse.prototype));
    paths.report('write_queue', probeQueue());
    paths.report('write_progress', handle !== undefined && 'writeQueueSize' in handle);
    return paths;
  }

  /** Notes whether a path can be used; returns whether that is news. */
  report(path: FastPath, isActive: boolean): boolean {
    if (this.#active.get(path) === isActive) return false;
    this.#active.set(path, isActive);
    return true;
  }

  /** The paths of which it is known whether they can be used. */
  get known(): ReadonlyMap<FastPath, boolean> {
    return this.#active;
  }

  /** The known paths that can be used, or cannot. */
  list(isActive: boolean): FastPath[] {
    return [...this.#active].filter(([, active]) => active === isActive).map(([path]) => path);
  }
}

/** Serves a request on a socket without a connection, detaches it, and serves another: what a held answer does. */
function probeHttp(): { readonly idleConnection: boolean; readonly readPause: boolean } {
  const socket = new Socket();
  const server = createServer();
  const requests: [IncomingMessage, ServerResponse][] = [];
  let readPause = false;
  try {
    server.on('upgrade', () => {});
    server.on('request', (message, answer) => requests.push([message, answer]));
    server.emit('connection', socket);
    readPause = canHoldReading(socket);
    socket.emit('data', REQUEST);
    const [message, answer] = requests[0] ?? [];
    if (message === undefined || answer === undefined || !detachHttp(message, answer)) {
      return { idleConnection: false, readPause };
    }
    attachHttp(server, socket, false, REQUEST);
    return { idleConnection: isDetached(message) && requests.length === 2, readPause };
  } catch {
    return { idleConnection: false, readPause };
  } finally {
    socket.destroy();
  }
}

/** Two writes, of which the first does not end. */
function probeQueue(): boolean {
  const stream = new Writable({ write: () => {} });
  stream.write('1');
  stream.write('2');
  return queuedWrites(stream) === 1;
}
