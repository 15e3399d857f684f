/**
 * The `uws` edge: binds its listeners, and has the kernel detect clients that have vanished.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { uncontained } from '@holdfast/control-api';
import { EdgeError } from '../../errors.js';
import { FlushQueue } from '../../runtime/flush-queue.js';
import { applySocketOwner, boundTo, listenError, prepareSocketFile, removeSocketFile } from '../listening.js';
import type { BoundListener, Edge, EdgeHandler, Listener } from '../port.js';
import { WriteWatch } from '../write-watch.js';
import { KeepAliveTicker, UwsBacklog } from './body.js';
import { makeTlsApp, UwsCertificates } from './certificates.js';
import type { UwsLibrary, UwsToken } from './library.js';
import { type ListenerDeps, type UwsEdgeDeps, type UwsEdgeOptions, UwsListener } from './listener.js';
import type { StalledAnswer } from './response-deps.js';
import { findHandshakeCork, type HandshakeCork } from './whole-handshakes.js';

/** A listener that is bound. */
interface Open {
  readonly listener: UwsListener;
  readonly token: object;
  /** Of a unix socket, whose file the library leaves behind. */
  readonly path: string | undefined;
  readonly certificates: UwsCertificates | undefined;
}

/** The edge for many connections: uWebSockets.js. */
export class UwsEdge implements Edge {
  readonly #library: UwsLibrary;
  readonly #handler: EdgeHandler;
  readonly #options: UwsEdgeOptions;
  readonly #deps: Omit<ListenerDeps, 'handshakeCork'>;
  readonly #open: Open[] = [];
  /** For plain listeners; found out before the first of them opens. */
  #handshakeCork: Promise<HandshakeCork | undefined> | undefined;
  #isListening = true;
  #closesAfterAnswers = false;

  constructor(library: UwsLibrary, handler: EdgeHandler, options: UwsEdgeOptions, deps: UwsEdgeDeps) {
    this.#library = library;
    this.#handler = handler;
    this.#options = options;
    const { clock, events, faults = uncontained } = deps;
    const ticker = new KeepAliveTicker(clock, faults);
    const writes = new WriteWatch<StalledAnswer>(options.writeTimeout, {
      clock,
      faults,
      progress: (answer) => answer.progress,
      cut: (answer) => events.writeTimedOut(answer.cutStalled()),
    });
    this.#deps = { ...deps, faults, flushes: new FlushQueue(), ticker, writes, backlog: new UwsBacklog() };
  }

  get connections(): number {
    let connections = 0;
    for (const { listener } of this.#open) connections += listener.connections;
    return connections;
  }

  async listen(listener: Listener): Promise<BoundListener> {
    const { certificates } = this.#options;
    const secure = listener.tls === true;
    const library = this.#library;
    // Found with plain connections, it would write past the TLS of others.
    if (!secure) this.#handshakeCork ??= findHandshakeCork(library);
    const handshakeCork = secure ? undefined : await this.#handshakeCork;
    const app = secure ? makeTlsApp(library, certificates, listener.port ?? 0) : library.App();
    const deps = { ...this.#deps, handshakeCork };
    const serving = new UwsListener(app, listener, library, this.#handler, this.#options, deps);
    // The library would take over the path of a socket that is in use.
    const isFree = listener.path === undefined || (await prepareSocketFile(listener.path));
    const token = isFree && (await this.#bind(serving, listener));
    if (!token) throw await this.#causeOf(listener);
    if (listener.path !== undefined) applySocketOwner(listener);
    serving.closesAfterAnswers = this.#closesAfterAnswers;
    const port = listener.path === undefined ? library.us_socket_local_port(token) : 0;
    this.#open.push({
      listener: serving,
      token,
      path: listener.path,
      certificates: secure ? new UwsCertificates(serving, certificates, port, this.#deps.clock) : undefined,
    });
    return boundTo(listener, listener.host ?? '0.0.0.0', port);
  }

  closeAfterAnswers(closes: boolean): void {
    this.#closesAfterAnswers = closes;
    for (const { listener } of this.#open) listener.closesAfterAnswers = closes;
  }

  stopListening(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    for (const { token, path } of this.#open) {
      this.#library.us_listen_socket_close(token);
      if (path !== undefined) removeSocketFile(path);
    }
  }

  stopAccepting(): void {
    this.stopListening();
    for (const { listener } of this.#open) listener.stop();
  }

  async close(): Promise<void> {
    this.stopAccepting();
    for (const { listener, certificates } of this.#open) {
      certificates?.close();
      listener.app.close();
    }
  }

  async #bind({ app }: UwsListener, { host = '0.0.0.0', port = 0, path }: Listener): Promise<UwsToken> {
    const options = this.#options.sharesPorts ? 0 : this.#library.LIBUS_LISTEN_EXCLUSIVE_PORT;
    const { probes } = this.#deps;
    if (path !== undefined) return new Promise((resolve) => void app.listen_unix(resolve, path));
    const listen = () => new Promise<UwsToken>((resolve) => void app.listen(host, port, options, resolve));
    if (probes === undefined) return listen();
    // The library opens its socket within the call.
    const { value, sockets } = openedBy(listen);
    const token = await value;
    const failure = token && (await probeConnections(sockets));
    if (failure) probes.failed(failure);
    return token;
  }

  /** The library only reports that it could not listen; node, trying the same, reports why. */
  async #causeOf(listener: Listener): Promise<EdgeError> {
    const probe = createServer();
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      probe.once('error', resolve);
      const { host = '0.0.0.0', port = 0, path } = listener;
      if (path !== undefined) probe.listen(path, () => resolve(undefined));
      else probe.listen({ host, port }, () => resolve(undefined));
    });
    probe.close();
    return listenError(error ?? new EdgeError('ERR_EDGE_LISTEN', 'the library could not bind it'), listener);
  }
}

/**
 * How long a connection is silent before the first probe, in ms; ten more follow, a second apart. As on the node edge.
 *
 * @limit {s} of silence before the kernel probes a client, ten times a second apart; also on the node edge
 * @over connection broken: the client counts as gone
 */
const SILENCE_MS = 30_000;

/**
 * How long the other process may take, in ms.
 *
 * @limit {s} for the process that sets this on a listener
 * @over clients are not probed, logged
 */
const SETTING_MS = 10_000;

const FIRST_FD = 3;

/**
 * Connections that may wait to be accepted, as on the node edge; the system may have a lower limit (net.core.somaxconn). The library asks
 * for 512, which thousands of clients that come back at once exceed: then the kernel drops what they send, for seconds, or resets them.
 *
 * @limit {} connections of a listener that wait to be accepted
 * @over the kernel drops what they send, and they try again
 */
export const WAITING_CONNECTIONS = 4_096;

/**
 * Sets TCP keep-alive and the length of the queue, for which the library has no setting, nor does it give a descriptor. But connections
 * inherit the options of the listening socket, which appears among the descriptors of the process while the library opens it. Node
 * sets these only on sockets of its own: a short-lived node process gets the listening socket as one of its own, which is the same
 * socket in the kernel. It is run with the number of descriptors; the first is `FIRST_FD`.
 */
const SCRIPT = `const { Server, Socket } = require('node:net');
for (let fd = ${FIRST_FD}; fd < ${FIRST_FD} + Number(process.argv[1]); fd++) {
  new Socket({ fd, readable: false, writable: false }).setKeepAlive(true, ${SILENCE_MS});
  new Server().listen({ fd }, ${WAITING_CONNECTIONS});
}
// Before its event loop begins, in which it would accept connections.
process.exit();`;

/** What became of `act`, and the descriptors of the sockets that it has opened: none where the system does not list them. */
function openedBy<T>(act: () => T): { readonly value: T; readonly sockets: readonly number[] } {
  const before = socketsOfProcess();
  const value = act();
  const sockets = [...socketsOfProcess()].flatMap(([name, fd]) => (before.has(name) ? [] : [fd]));
  return { value, sockets };
}

/**
 * Has connections that come in on these listening sockets probed once they are silent. Resolves with the reason when that
 * cannot be had; never rejects.
 */
function probeConnections(sockets: readonly number[]): Promise<string | undefined> {
  if (sockets.length === 0) return Promise.resolve('the descriptor of the listener was not found in /proc/self/fd');
  return new Promise((resolve) => {
    try {
      // Without our environment, which may ask every node process for something, such as a debugger's port.
      const child = spawn(process.execPath, ['-e', SCRIPT, String(sockets.length)], {
        env: {},
        stdio: ['ignore', 'ignore', 'ignore', ...sockets],
        timeout: SETTING_MS,
      });
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(code === 0 ? undefined : `node ended with ${signal ?? code}`));
    } catch (error) {
      resolve((error as Error).message);
    }
  });
}

/** The kernel's name of each socket that is open in this process, with its descriptor. */
function socketsOfProcess(): ReadonlyMap<string, number> {
  const sockets = new Map<string, number>();
  let names: string[] = [];
  try {
    names = readdirSync('/proc/self/fd');
  } catch {
    // No Linux.
  }
  for (const name of names) {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      if (target.startsWith('socket:')) sockets.set(target, Number(name));
    } catch {
      // Closed since it was listed, as the descriptor of the list is.
    }
  }
  return sockets;
}
