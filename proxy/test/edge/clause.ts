/** What a clause of the `Edge` contract is, and the fixture on which it is tried. */
import type { Test } from 'tap';
import type { BoundListener, Edge, EdgeDeps, EdgeHandler } from '../../dist/edge/port.js';
import { Descriptors } from '../../dist/runtime/descriptors.js';
import { RawClient } from '../kit/clients/raw-client.js';
import { ManualClock } from '../kit/manual-clock.js';
import { ScriptedHandler, type Taken } from './scripted-handler.js';

/** Limits of the edge under test. Times in ms. */
export interface EdgeLimits {
  readonly clientBufferSize: number;
  readonly clientMaxconn: number;
  readonly clientKeepAliveTimeout: number;
  readonly clientHeaderTimeout: number;
  readonly clientHalfCloseGrace: number;
  /** File descriptors that the process may have; left out: any number. */
  readonly files?: number;
}

export const LIMITS: EdgeLimits = {
  clientBufferSize: 16_384,
  clientMaxconn: 100,
  clientKeepAliveTimeout: 60_000,
  clientHeaderTimeout: 60_000,
  clientHalfCloseGrace: 10_000,
};

/** What an edge is made with. */
export interface EdgeSurroundings {
  readonly handler: EdgeHandler;
  readonly limits: EdgeLimits;
  /** Governs `clientHalfCloseGrace`; stands still until the clause moves it. */
  readonly clock: ManualClock;
  /** Stands at what the clause says; left out: without a limit. */
  readonly descriptors?: Descriptors;
  /** Reasons of refused requests, `connection` for every connection over the limit, `descriptors` for each that has none. */
  readonly refused: string[];
}

/** Without a limit. */
export const noLimit = new Descriptors(Number.POSITIVE_INFINITY, () => ({ open: 0, isSlow: false }));

/** The collaborators that an edge is given for these. */
export function edgeDeps({ clock, descriptors = noLimit, refused }: EdgeSurroundings): EdgeDeps {
  let requests = 0;
  return {
    clock,
    descriptors,
    nextId: () => `r${++requests}`,
    events: {
      connectionRefused: () => refused.push('connection'),
      descriptorsShort: () => refused.push('descriptors'),
      requestRefused: (reason) => refused.push(reason),
      proxyRefused: (why) => refused.push(why),
    },
  };
}

/** Makes the edge under test; it is not listening yet. */
export type MakeEdge = (surroundings: EdgeSurroundings) => Edge;

/** One clause: a stable short name, what it says, and how it is tried. */
export interface Clause {
  readonly name: string;
  readonly says: string;
  readonly limits?: Partial<EdgeLimits>;
  readonly run: (t: Test, fixture: EdgeFixture) => Promise<void>;
}

/** A fresh edge that listens on a port of its own, and everything around it. */
export class EdgeFixture {
  readonly edge: Edge;
  readonly handler = new ScriptedHandler();
  readonly clock = new ManualClock();
  readonly limits: EdgeLimits;
  readonly refused: string[] = [];
  /** File descriptors that are open, as far as the edge is told. */
  openFiles = 0;
  readonly descriptors: Descriptors;
  readonly #t: Test;
  #bound: BoundListener | undefined;

  private constructor(t: Test, make: MakeEdge, limits: Partial<EdgeLimits>) {
    this.#t = t;
    this.limits = { ...LIMITS, ...limits };
    this.descriptors = new Descriptors(this.limits.files ?? Number.POSITIVE_INFINITY, () => ({
      open: this.openFiles,
      isSlow: false,
    }));
    this.edge = make(this);
  }

  /** Sets the fixture; it is taken down at the end of the test. */
  static async open(t: Test, make: MakeEdge, limits: Partial<EdgeLimits> = {}): Promise<EdgeFixture> {
    const fixture = new EdgeFixture(t, make, limits);
    t.teardown(() => fixture.edge.close());
    fixture.#bound = await fixture.edge.listen({ host: '127.0.0.1', port: 0 });
    return fixture;
  }

  /** The port that the edge is bound to. */
  get port(): number {
    return this.#bound?.port as number;
  }

  /** A new client, connected. */
  connect(): Promise<RawClient> {
    return RawClient.to(this.#t, { port: this.port });
  }

  /** The next request that the edge hands over. */
  next(): Promise<Taken> {
    return this.handler.next();
  }

  /** A client that has sent this, and the request that the edge made of it. */
  async send(bytes: string): Promise<{ client: RawClient; taken: Taken }> {
    const client = await this.connect();
    void client.write(bytes);
    return { client, taken: await this.next() };
  }
}
