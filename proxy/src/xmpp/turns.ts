/** Stanzas on their way to origins: those of one client one after the other, of all together only so many at a time. */
import type { Stanza } from '@holdfast/grip';
import type { Route } from '../routes/route.js';
import { Fifo } from '../runtime/fifo.js';
import type { Address } from './address.js';
import type { XmppSubscriber } from './subscriber.js';

/**
 * @limit {} requests to origins for XMPP stanzas at a time
 * @over stanzas wait
 */
export const REQUESTS_MAX = 64;

/**
 * @limit {} XMPP stanzas that wait for origins
 * @over the client gets the error `resource-constraint`; counted
 */
export const WAITING_MAX = 1_000;

/**
 * @limit {MiB} of XMPP stanzas that wait for origins
 * @over likewise
 */
export const WAITING_BYTES_MAX = 16 * 2 ** 20;

/**
 * @limit {} stanzas of one XMPP address that wait for origins
 * @over likewise
 */
export const CLIENT_WAITING_MAX = 20;

/** A stanza that has come. */
export interface Arrival {
  readonly stanza: Stanza;
  /** The body of the request. */
  readonly body: Buffer;
  readonly from: Address;
  readonly to: Address;
  readonly path: string;
  readonly route: Route;
  /** Whether the answer may subscribe the client: not when it has become unavailable meanwhile. */
  maySubscribe: boolean;
  /** What the client was subscribed as until this stanza. */
  readonly was?: XmppSubscriber | undefined;
}

/** The stanzas of one client, the first of which is being asked. */
interface Turn {
  current: Arrival | undefined;
  readonly waiting: Fifo<Arrival>;
  /** The same, for a look at all of them. */
  readonly arrivals: Set<Arrival>;
}

/** Says whose turn it is. */
export class StanzaTurns {
  readonly #ask: (arrival: Arrival, done: () => void) => void;
  readonly #clients = new Map<string, Turn>();
  /** Clients of whom no stanza is being asked, and some wait. */
  readonly #ready = new Fifo<Turn>();
  #asking = 0;
  #waiting = 0;
  #bytes = 0;

  /** `ask` is called for each stanza in its turn, and must call `done` once, later. */
  constructor(ask: (arrival: Arrival, done: () => void) => void) {
    this.#ask = ask;
  }

  /** Takes a stanza; false when too many wait. */
  add(arrival: Arrival): boolean {
    const { from, body } = arrival;
    let turn = this.#clients.get(from.full);
    if (this.#waiting >= WAITING_MAX || this.#bytes + body.length > WAITING_BYTES_MAX) return false;
    if (turn !== undefined && turn.waiting.length >= CLIENT_WAITING_MAX) return false;
    if (turn === undefined) {
      turn = { current: undefined, waiting: new Fifo(), arrivals: new Set() };
      this.#clients.set(from.full, turn);
    }
    this.#waiting++;
    this.#bytes += body.length;
    turn.arrivals.add(arrival);
    turn.waiting.push(arrival);
    if (turn.current === undefined && turn.waiting.length === 1) this.#ready.push(turn);
    this.#go();
    return true;
  }

  /** A client has left one of our addresses: no answer to what it had sent there subscribes it. */
  left(from: Address, to: Address): void {
    for (const arrival of this.#clients.get(from.full)?.arrivals ?? []) {
      if (arrival.to.full === to.full) arrival.maySubscribe = false;
    }
  }

  /** Stanzas that wait, and those that are being asked. */
  get size(): number {
    return this.#waiting + this.#asking;
  }

  #go(): void {
    while (this.#asking < REQUESTS_MAX) {
      const turn = this.#ready.shift();
      const arrival = turn?.waiting.shift();
      if (turn === undefined || arrival === undefined) return;
      this.#waiting--;
      this.#bytes -= arrival.body.length;
      this.#asking++;
      turn.current = arrival;
      this.#ask(arrival, () => this.#done(turn, arrival));
    }
  }

  #done(turn: Turn, arrival: Arrival): void {
    if (turn.current !== arrival) return;
    turn.current = undefined;
    turn.arrivals.delete(arrival);
    this.#asking--;
    if (turn.waiting.length > 0) this.#ready.push(turn);
    else this.#clients.delete(arrival.from.full);
    this.#go();
  }
}
