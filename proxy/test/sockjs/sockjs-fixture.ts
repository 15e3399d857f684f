/** The SockJS of a node with a clock that stands still, and the sessions that it opens, in the hands of the test. */
import { setImmediate as turn } from 'node:timers/promises';
import { AllowedOrigins } from '../../dist/config/types/allowed-origins.js';
import type { BodySink, ClientBody, ClientHandshake, ClientRequest, ResponseHandler } from '../../dist/edge/port.js';
import { toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { SockJs, type SockJsEnd, type SockJsRoute, servesSockJs } from '../../dist/sockjs/sockjs.js';
import type { MessageSocket } from '../../dist/websocket/message-socket.js';
import { ManualClock } from '../kit/manual-clock.js';
import { FakeResponse } from './fake-response.js';
import { RecordingOwner, RecordingSocket } from './recorder.js';

/** A session that was asked for. */
export class Opened implements ResponseHandler {
  readonly request: ClientRequest;
  readonly handshake: ClientHandshake;
  readonly owner = new RecordingOwner();
  socket: MessageSocket | undefined;
  gone = false;

  constructor(request: ClientRequest, handshake: ClientHandshake) {
    this.request = request;
    this.handshake = handshake;
    handshake.response.setHandler(this);
  }

  /** The origin accepts; false when the client has gone. */
  accept(): boolean {
    this.socket = this.handshake.accept([]);
    this.socket?.setHandler(this.owner);
    return this.socket !== undefined;
  }

  /** The origin refuses. */
  refuse(status: number, headers: string[], body: string): void {
    this.handshake.response.writeHead({ status, reason: '', headers }, body.length);
    this.handshake.response.end(Buffer.from(body));
  }

  /** A text message of the origin's. */
  say(text: string): boolean {
    return this.#open.send('text', Buffer.from(text));
  }

  /** The origin closes. */
  close(code?: number, reason = ''): void {
    this.#open.close(code, Buffer.from(reason));
  }

  onWritable(): void {}

  onGone(): void {
    this.gone = true;
  }

  get #open(): MessageSocket {
    if (this.socket === undefined) throw new Error('not accepted');
    return this.socket;
  }
}

/** A body that the test sends. */
export class FakeBody implements ClientBody {
  readonly length: number | undefined;
  sink: BodySink | undefined;

  constructor(length?: number) {
    this.length = length;
  }

  read(sink: BodySink): void {
    this.sink = sink;
  }

  pause(): void {}

  resume(): void {}
}

class WholeBody extends FakeBody {
  readonly #content: Buffer;

  constructor(content: Buffer) {
    super(content.length);
    this.#content = content;
  }

  override read(sink: BodySink): void {
    sink.onData(this.#content);
    sink.onEnd();
  }
}

/** What a fixture is made with. */
export interface SockJsFixtureOptions {
  /** Properties of the route beside `sockjs=/echo`. */
  readonly route?: string;
  readonly clientMaxconn?: number;
  readonly overHttp?: boolean;
  /** Whether the origin waits for the test to accept. */
  readonly byHand?: boolean;
}

/** Services at `/echo` and `/chat`. */
export class SockJsFixture {
  readonly clock = new ManualClock();
  readonly opened: Opened[] = [];
  readonly ends: SockJsEnd[] = [];
  readonly sockjs: SockJs;
  readonly #routes: readonly SockJsRoute[];

  constructor({ route = '', clientMaxconn = 100, overHttp = true, byHand = false }: SockJsFixtureOptions = {}) {
    this.#routes = ['/echo', '/chat'].map((prefix) => {
      const line = `*,path_beg=${prefix},sockjs=${prefix}${route === '' ? '' : `,${route}`} 127.0.0.1:1`;
      return toRoute(parseRouteLine(line, 1) as RouteLine, () => undefined) as SockJsRoute;
    });
    this.sockjs = new SockJs({
      clock: this.clock,
      random: () => 0,
      open: (request, handshake) => {
        const opened = new Opened(request, handshake);
        this.opened.push(opened);
        if (!byHand) opened.accept();
      },
      ended: (end) => this.ends.push(end),
      sockjsUrl: 'http://cdn.test/sockjs.js?a=1&b="2"',
      acoOrigins: AllowedOrigins.any,
      clientMaxconn,
      overHttp,
    });
  }

  /** The session opened last. */
  get last(): Opened {
    return this.opened.at(-1) as Opened;
  }

  /** Makes a request with a body that is here, or on its way. */
  ask(method: string, path: string, body?: string | ClientBody, headers: readonly string[] = []): FakeResponse {
    const response = new FakeResponse();
    const content = typeof body === 'string' ? new WholeBody(Buffer.from(body)) : body;
    this.sockjs.onRequest(request(method, path, headers, content), response, this.#route(path), TRUST);
    return response;
  }

  /** Asks for a WebSocket. */
  askWebSocket(path: string): { response: FakeResponse; socket: RecordingSocket } {
    const response = new FakeResponse();
    const socket = new RecordingSocket();
    const handshake = { response, accept: () => socket };
    this.sockjs.onWebSocket(request('GET', path, [], undefined), handshake, this.#route(path), TRUST);
    return { response, socket };
  }

  /** Opens a session by a poll; the result is the session. */
  open(id: string): Opened {
    const { text } = this.poll(id);
    if (text !== 'o\n') throw new Error(`not opened: ${text}`);
    return this.last;
  }

  poll(id: string): FakeResponse {
    return this.ask('POST', `/echo/000/${id}/xhr`);
  }

  stream(id: string): FakeResponse {
    return this.ask('POST', `/echo/000/${id}/xhr_streaming`);
  }

  send(id: string, body: string): FakeResponse {
    return this.ask('POST', `/echo/000/${id}/xhr_send`, body);
  }

  #route(path: string): SockJsRoute {
    const route = this.#routes.find((candidate) => servesSockJs(candidate, path));
    if (route === undefined) throw new Error(`${path} is not for SockJS`);
    return route;
  }

  /** Lets what was put off to the end of this turn happen. */
  async turn(): Promise<void> {
    await turn();
  }
}

const TRUST = { secure: false, trusted: false };

function request(
  method: string,
  path: string,
  headers: readonly string[],
  body: ClientBody | undefined,
): ClientRequest {
  return {
    id: `${method} ${path}`,
    method,
    path,
    host: 'sockjs.test',
    version: '1.1',
    headers: ['Host', 'sockjs.test', ...headers],
    secure: false,
    clientAddress: '127.0.0.1',
    body,
  };
}
