/**
 * A node of the product's own composition that serves SockJS, between clients and origins that the test plays: requests come
 * in behind its edges, and sessions go to origins in the place of a connection.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { RawHeaders } from '@holdfast/grip';
import type { Test } from 'tap';
import type { Assembly } from '../../dist/app/compose/compose.js';
import { composeSockJs } from '../../dist/app/compose/requests.js';
import type { BodySink, ClientBody, ClientRequest, EdgeHandler } from '../../dist/edge/port.js';
import { OriginError } from '../../dist/errors.js';
import type { RequestEnd } from '../../dist/request/request-deps.js';
import { RequestHandler } from '../../dist/request/request-handler.js';
import type { OriginHandshakeOwner, OriginSocket, OriginSocketOwner } from '../../dist/sessions/origin-socket.js';
import type { Dial } from '../../dist/sessions/session-deps.js';
import type { MessageType } from '../../dist/websocket/message-socket.js';
import { configOf, makeNode, noteCalls } from '../kit/app.js';
import { ManualClock } from '../kit/manual-clock.js';
import { FakeResponse } from './fake-response.js';
import { RecordingSocket } from './recorder.js';

/** An origin that was asked to take a session, played by the test. */
export class PlayedOrigin implements OriginSocket {
  /** The handshake as it goes to the origin. */
  readonly request: ClientRequest;
  /** What it gets, as text: `text hello`, `close 4001 bye`, `abort`. */
  readonly events: string[] = [];
  /** Called with each message: for origins that react. */
  react: ((text: string) => void) | undefined;
  /** What `send` returns. */
  takes = true;
  paused = false;
  readonly #handshake: OriginHandshakeOwner;
  #owner: OriginSocketOwner | undefined;

  constructor(request: ClientRequest, handshake: OriginHandshakeOwner) {
    this.request = request;
    this.#handshake = handshake;
  }

  setOwner(owner: OriginSocketOwner): void {
    this.#owner = owner;
  }

  send(type: MessageType, data: Buffer): boolean {
    this.events.push(`${type} ${data}`);
    this.react?.(data.toString());
    return this.takes;
  }

  close(code: number | undefined, reason: Buffer): void {
    this.events.push(`close ${code ?? '-'} ${reason}`.trimEnd());
  }

  abort(): void {
    this.events.push('abort');
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** Takes the session; false when the client has gone. */
  accept(): boolean {
    this.#handshake.originAccepted([]);
    return this.#owner !== undefined;
  }

  /** Refuses it. */
  refuse(status: number, headers: RawHeaders, body: string): void {
    this.#handshake.originRejected({ status, reason: '', headers }, Buffer.from(body));
  }

  /** Sends a message; false when it is to send no more for now. */
  say(text: string, type: MessageType = 'text'): boolean {
    this.#session.originMessage(type, Buffer.from(text));
    return !this.paused;
  }

  /** Closes the session. */
  end(code?: number, reason = ''): void {
    this.#session.originClosed(code, Buffer.from(reason));
  }

  /** Breaks off. */
  cut(): void {
    this.#session.originLost(new OriginError('ERR_ORIGIN_CLOSED', 'cut', 'no'));
  }

  /** Takes more again. */
  go(): void {
    this.takes = true;
    this.#session.originWritable();
  }

  get #session(): OriginSocketOwner {
    if (this.#owner === undefined) throw new Error('not accepted');
    return this.#owner;
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
  /** Properties of the route beside `sockjs=/echo`, and of its target. */
  readonly route?: string;
  readonly target?: string;
  readonly clientMaxconn?: number;
  /** Whether other processes have the same client listeners. */
  readonly isShared?: boolean;
  /** Whether the origin waits for the test to accept. */
  readonly byHand?: boolean;
}

/** Services at `/echo` and `/chat`. */
export class SockJsFixture {
  readonly clock = new ManualClock();
  readonly opened: PlayedOrigin[] = [];
  /** Requests that were answered, other than by a session. */
  readonly ends: RequestEnd[] = [];
  readonly parts: Assembly;
  readonly #node: ReturnType<typeof makeNode>['node'];
  readonly #handler: EdgeHandler;
  readonly #accepts: boolean;

  /** Nothing listens: the test has the place of the edges. */
  constructor({ route = '', target = '', clientMaxconn = 100, isShared, byHand = false }: SockJsFixtureOptions = {}) {
    const options = {
      routes: ['/echo', '/chat'].map((prefix) => {
        const properties = `path_beg=${prefix},sockjs=${prefix}${route === '' ? '' : `,${route}`}`;
        return `*,${properties} 127.0.0.1:1${target === '' ? '' : `,${target}`}`;
      }),
      settings: {
        sockjs_url: 'http://cdn.test/sockjs.js?a=1&b="2"',
        client_maxconn: clientMaxconn,
        // Its timer serves all bodies: tests look for those that a session leaves behind.
        request_min_rate: 0,
      },
      overrides: { clock: this.clock, random: () => 0 },
    };
    const config = configOf(options);
    const { node, parts } = makeNode(options, config);
    this.parts = parts;
    this.#node = node;
    this.#accepts = !byHand;
    const { requests, telemetry } = parts;
    Object.assign(requests.sessions, {
      dial: ({ request }: Dial, _target: unknown, owner: OriginHandshakeOwner): OriginSocket => {
        const origin = new PlayedOrigin(request, owner);
        this.opened.push(origin);
        return origin;
      },
    });
    noteCalls(telemetry.requests, 'requestEnded', (end) => this.ends.push(end));
    this.#handler =
      isShared === undefined ? parts.handler : new RequestHandler(requests, composeSockJs(config, requests, isShared));
  }

  /** The same, joined to its backplane, until the test ends. */
  static async start(t: Test, options: SockJsFixtureOptions = {}): Promise<SockJsFixture> {
    const fixture = new SockJsFixture(options);
    t.teardown(() => fixture.#node.stop());
    await fixture.#node.start();
    return fixture;
  }

  /** The origin that was asked last. */
  get last(): PlayedOrigin {
    return this.opened.at(-1) as PlayedOrigin;
  }

  /** Sessions over HTTP that are known, those included that have just ended. */
  get sessions(): number {
    return this.parts.sockjs.sessions;
  }

  /** Bytes that wait for the client of the only session. */
  get waiting(): number | undefined {
    const [session] = this.parts.registry.all();
    return session?.view().waiting;
  }

  /** Makes a request with a body that is here, or on its way. */
  ask(method: string, path: string, body?: string | ClientBody, headers: readonly string[] = []): FakeResponse {
    const response = new FakeResponse();
    const content = typeof body === 'string' ? new WholeBody(Buffer.from(body)) : body;
    this.#take(() => this.#handler.onRequest(requestOf(method, path, headers, content), response));
    return response;
  }

  /** Asks for a WebSocket. */
  askWebSocket(path: string): { response: FakeResponse; socket: RecordingSocket } {
    const response = new FakeResponse();
    const socket = new RecordingSocket();
    const handshake = { response, accept: () => socket };
    this.#take(() => this.#handler.onWebSocket(requestOf('GET', path, [], undefined), handshake));
    return { response, socket };
  }

  /** Opens a session by a poll; the result is its origin. */
  open(id: string): PlayedOrigin {
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

  /** Lets what was put off to the end of this turn happen. */
  async turn(): Promise<void> {
    await turn();
  }

  /** An origin never answers from within the call that asks it: after that it does, unless the test is to. */
  #take(ask: () => void): void {
    const before = this.opened.length;
    ask();
    if (this.#accepts && this.opened.length > before) this.last.accept();
  }
}

function requestOf(
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
