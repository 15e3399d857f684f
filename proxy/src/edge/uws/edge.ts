/**
 * The `uws` edge: its listeners, and binding them.
 *
 * It costs less for each connection and each delivery than the node edge, and has limits of its own: docs/edges.md.
 */
import { createServer } from 'node:net';
import { uncontained } from '@holdfast/control-api';
import { EdgeError } from '../../errors.js';
import { FlushQueue } from '../../runtime/flush-queue.js';
import { applySocketOwner, listenError, prepareSocketFile, removeSocketFile } from '../listening.js';
import type { BoundListener, Edge, EdgeHandler, Listener } from '../port.js';
import { UwsBacklog } from './body.js';
import { makeTlsApp, UwsCertificates } from './certificates.js';
import { KeepAliveTicker } from './keep-alive-ticker.js';
import type { UwsLibrary, UwsToken } from './library.js';
import type { UwsEdgeDeps, UwsEdgeOptions } from './listener.js';
import { type ListenerDeps, UwsListener } from './listener.js';
import { openedBy, probeConnections } from './probes.js';

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
  readonly #deps: ListenerDeps;
  readonly #open: Open[] = [];
  #accepting = true;

  constructor(library: UwsLibrary, handler: EdgeHandler, options: UwsEdgeOptions, deps: UwsEdgeDeps) {
    this.#library = library;
    this.#handler = handler;
    this.#options = options;
    const { faults = uncontained } = deps;
    const ticker = new KeepAliveTicker(deps.clock, faults);
    this.#deps = { ...deps, faults, flushes: new FlushQueue(), ticker, backlog: new UwsBacklog() };
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
    const app = secure ? makeTlsApp(library, certificates, listener.port ?? 0) : library.App();
    const serving = new UwsListener(app, secure, library, this.#handler, this.#options, this.#deps);
    // The library would take over the path of a socket that is in use.
    const isFree = listener.path === undefined || (await prepareSocketFile(listener.path));
    const token = isFree && (await this.#bind(serving, listener));
    if (!token) throw await this.#causeOf(listener);
    if (listener.path !== undefined) applySocketOwner(listener);
    const port = listener.path === undefined ? library.us_socket_local_port(token) : 0;
    this.#open.push({
      listener: serving,
      token,
      path: listener.path,
      certificates: secure ? new UwsCertificates(serving, certificates, port, this.#deps.clock) : undefined,
    });
    if (listener.path !== undefined) return { ...listener, url: `unix:${listener.path}` };
    const host = listener.host ?? '0.0.0.0';
    const shown = host.includes(':') ? `[${host}]` : host;
    return { ...listener, port, url: `${secure ? 'https' : 'http'}://${shown}:${port}` };
  }

  stopAccepting(): void {
    if (!this.#accepting) return;
    this.#accepting = false;
    for (const { listener, token, path } of this.#open) {
      this.#library.us_listen_socket_close(token);
      if (path !== undefined) removeSocketFile(path);
      listener.stop();
    }
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
