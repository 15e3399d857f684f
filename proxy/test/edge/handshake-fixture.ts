/** An edge whose WebSocket handshakes are in the test's hands. */
import type { Socket } from 'node:net';
import type { Test } from 'tap';
import type { ClientHandshake, ClientRequest, Edge, ResponseHandler } from '../../dist/edge/port.js';
import { connected } from '../kit/clients/raw-socket.js';
import { ManualClock } from '../kit/manual-clock.js';
import { LIMITS, type MakeEdge } from './clause.js';
import { makeNodeEdge } from './node-edge-maker.js';
import { ScriptedHandler } from './scripted-handler.js';

/** A handshake that waits for its answer. */
export class TakenHandshake implements ResponseHandler {
  readonly request: ClientRequest;
  readonly handshake: ClientHandshake;
  gones = 0;

  constructor(request: ClientRequest, handshake: ClientHandshake) {
    this.request = request;
    this.handshake = handshake;
    handshake.response.setHandler(this);
  }

  onWritable(): void {}

  onGone(): void {
    this.gones++;
  }

  /** Answers with this status and body. */
  refuse(status: number, body: string | Buffer, headers: readonly string[] = []): void {
    const bytes = Buffer.from(body as string);
    this.handshake.response.writeHead({ status, reason: 'Refused', headers }, bytes.length);
    this.handshake.response.end(bytes);
  }
}

/** Hands handshakes to the test too. */
class HandshakeHandler extends ScriptedHandler {
  readonly handshakes: TakenHandshake[] = [];
  #waiting: (() => void)[] = [];

  override onWebSocket(request: ClientRequest, handshake: ClientHandshake): void {
    this.handshakes.push(new TakenHandshake(request, handshake));
    this.#waiting.shift()?.();
  }

  async nextHandshake(): Promise<TakenHandshake> {
    while (this.handshakes.length === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.handshakes.shift() as TakenHandshake;
  }
}

/** An edge that listens, and what surrounds it. */
export class HandshakeFixture {
  readonly handler = new HandshakeHandler();
  readonly clock = new ManualClock();
  readonly refused: string[] = [];
  readonly edge: Edge;
  readonly limits;
  port = 0;
  readonly #t: Test;

  private constructor(t: Test, clientKeepAliveTimeout: number, make: MakeEdge) {
    this.#t = t;
    this.limits = { ...LIMITS, clientKeepAliveTimeout };
    this.edge = make(this);
  }

  /** `clientKeepAliveTimeout` in ms. */
  static async open(t: Test, { clientKeepAliveTimeout = 60_000, make = makeNodeEdge } = {}): Promise<HandshakeFixture> {
    const fixture = new HandshakeFixture(t, clientKeepAliveTimeout, make);
    t.teardown(() => fixture.edge.close());
    const bound = await fixture.edge.listen({ host: '127.0.0.1', port: 0 });
    fixture.port = bound.port as number;
    return fixture;
  }

  connect(): Promise<Socket> {
    return connected(this.#t, this.port);
  }

  /** A client that has sent this. */
  async send(bytes: string | Buffer): Promise<Socket> {
    const client = await this.connect();
    client.write(bytes as string, 'latin1');
    return client;
  }

  next(): Promise<TakenHandshake> {
    return this.handler.nextHandshake();
  }
}
