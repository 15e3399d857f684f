/** The operator's listener: metrics and probes. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  type Action,
  type Answer,
  type ControlAccess,
  controlResult,
  forbidden,
  ListenerConnections,
  type Log,
  methodNotAllowed,
  type OriginList,
  PageGuard,
  type Principal,
  type PublishEvents,
  type Route,
  type RouteCall,
  Router,
  uncontained,
} from '@holdfast/control-api';
import { EdgeError } from '../errors.js';
import type { LivePage } from './live-page.js';

/** Whether the node should be given traffic, with the reason when not, or what else is to be known. */
export type Readiness =
  | { readonly ready: true; readonly degraded?: string }
  | { readonly ready: false; readonly reason: string };

/** What `/metrics` shows. */
export interface Exposition {
  /** All series in the text format of `contentType`. */
  expose(): Promise<string>;
  readonly contentType: string;
}

/**
 * Connections at a time to one admin listener. One more takes the place of the one that has been idle longest.
 *
 * @limit {} connections on each admin listener
 * @over as on the control port
 */
export const MAX_CONNECTIONS = 256;

/** The keys that callers need. */
export interface AdminAccess {
  readonly access: ControlAccess;
  readonly events: Pick<PublishEvents, 'requested'>;
  readonly log: Log;
}

type AdminHandler = (call: RouteCall) => Answer | Promise<Answer>;

/** Under which names it is reached, and which pages of others may use it; see `PageGuard`. */
export interface AdminReach {
  readonly hosts: readonly string[];
  readonly origins?: OriginList;
}

/**
 * Serves operators and probes. Without `access` everybody who reaches it gets everything: bind it where only they do. Pages of other
 * sites are refused.
 */
export class AdminServer {
  readonly #server: Server;
  readonly #router: Router<Route<AdminHandler>>;
  readonly #reach: AdminReach;
  readonly #connections: ListenerConnections;
  readonly #access: AdminAccess | undefined;
  readonly #page: LivePage | undefined;
  #guard: PageGuard | undefined;

  /**
   * `readiness` is asked at every probe. Of more than `maxConnections` at a time some are closed. `faults`: left out, nothing
   * is contained. `access`: left out, nobody is asked for a key. `page`: left out, there is none.
   */
  constructor(
    metrics: Exposition,
    readiness: () => Readiness,
    reach: AdminReach,
    maxConnections = MAX_CONNECTIONS,
    faults = uncontained,
    access?: AdminAccess,
    page?: LivePage,
  ) {
    this.#access = access;
    this.#page = page;
    this.#router = new Router(adminRoutes(metrics, readiness));
    this.#reach = reach;
    this.#connections = new ListenerConnections({
      max: Math.min(MAX_CONNECTIONS, maxConnections),
      maxBytes: Number.POSITIVE_INFINITY,
      end: (socket) => socket.destroy(),
    });
    this.#server = createServer((request, response) => {
      faults.watch('admin', this.#serve(request, response), { fault: () => void response.destroy() });
    });
    // None may be left out unseen: the guard looks at them. Their bytes are limited by Node.
    this.#server.maxHeadersCount = 0;
    this.#server.on('connection', (socket: Socket) => {
      if (!this.#connections.open(socket)) socket.destroy();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    this.#connections.enter(socket, 'working');
    response.on('finish', () => this.#connections.enter(socket, 'idle'));
    const answer = await this.#guarded(request, response);
    if (answer === undefined) return;
    respond(response, answer);
    if (!response.writableFinished) this.#connections.enter(socket, 'sending');
  }

  /** Undefined where the page has answered. */
  #guarded(request: IncomingMessage, response: ServerResponse): Answer | undefined | Promise<Answer> {
    const foreign = this.#guard?.check(request.headers);
    if (foreign !== undefined) return foreign;
    this.#guard?.admit(request.headers, response);
    if (this.#page?.serve(request, response)) return undefined;
    return this.#guard?.preflight(request, response) ?? this.#answer(request);
  }

  /** A method that nothing here takes is refused at every path, known or not. */
  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method = '', url = '' } = request;
    const asked = method === 'HEAD' ? 'GET' : method;
    const [path = ''] = url.split('?', 1);
    if (!this.#router.takes(asked)) return methodNotAllowed(method, 'GET');
    const match = this.#router.match(asked, path);
    if (match === undefined) return text(404, 'Not Found');
    const { found } = match;
    if (!('row' in found)) return found;
    const { row, params } = found;
    const principal = row.scope === 'none' ? undefined : await this.#admit(request, row.scope);
    if (principal !== undefined && 'status' in principal) return principal;
    return row.handler({ params, principal });
  }

  /** A key that may view may have the metrics, too. */
  async #admit(request: IncomingMessage, action: Action): Promise<Principal | Answer | undefined> {
    if (this.#access === undefined) return undefined;
    const { access, events, log } = this.#access;
    const admission = await access.identify({ rawHeaders: request.rawHeaders });
    const known = 'status' in admission ? undefined : admission;
    const mayHave = known === undefined || known.allows(action) || known.allows('view');
    const refusal = 'status' in admission ? admission : mayHave ? undefined : forbidden;
    events.requested(action, known?.name ?? '', controlResult(refusal?.status ?? 200));
    if (refusal === undefined) return known;
    const { status, code, logged } = refusal;
    const fields = { client: request.socket.remoteAddress, action, key: known?.name, status, code, ...logged };
    log.warn(fields, 'admin request refused');
    return refusal;
  }

  /** Binds; rejects with an `EdgeError` when the port is taken. Resolves with the address for the log. */
  async listen(host: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'EADDRINUSE' ? 'ERR_EDGE_PORT_IN_USE' : 'ERR_EDGE_LISTEN';
        const why = cause.code === 'EADDRINUSE' ? 'it is in use' : cause.message;
        reject(new EdgeError(code, `cannot listen on ${host}:${port} (admin): ${why}`, { cause }));
      });
      this.#server.listen(port, host, resolve);
    });
    const address = this.#server.address() as AddressInfo;
    this.#guard = new PageGuard(address.address, this.#reach.hosts, host, this.#reach.origins);
    return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** What is behind the paths. A page is an answer with content of its own. */
function adminRoutes(metrics: Exposition, readiness: () => Readiness): readonly Route<AdminHandler>[] {
  const expose = (): Promise<Answer> =>
    metrics.expose().then(
      (body) => ({ ...text(200, ''), content: { type: metrics.contentType, body } }),
      (error: Error) => text(500, error.message),
    );
  return [
    { method: 'GET', path: '/livez', scope: 'none', handler: () => text(200, 'ok') },
    { method: 'GET', path: '/readyz', scope: 'none', handler: () => readinessAnswer(readiness()) },
    { method: 'GET', path: '/metrics', scope: 'metrics', handler: expose },
  ];
}

function readinessAnswer(state: Readiness): Answer {
  if (!state.ready) return text(503, state.reason);
  return text(200, state.degraded === undefined ? 'ok' : `degraded: ${state.degraded}`);
}

function text(status: number, message: string): Answer {
  return { status, message };
}

function respond(response: ServerResponse, { status, message, content, header }: Answer): void {
  const { type, body } = content ?? { type: 'text/plain', body: `${message}\n` };
  response.writeHead(status, ['Content-Type', type, ...(header ?? [])]).end(body);
}
