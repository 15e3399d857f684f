/** Containment of faults: what happens when Holdfast's own code throws while it serves a request, hold or session. */
import type { Log } from './log.js';

/**
 * Where a fault was caught, as the label `where` of the metric:
 *
 * - `client`: a callback of a client's connection, request body or WebSocket
 * - `origin`: a callback of an origin's answer, WebSocket or handshake
 * - `delivery`: an item on its way to one subscriber
 * - `history`: what was read from the history for one subscriber
 * - `timer`: a timer
 * - `backplane`: a message or an event of the backplane, or of Redis
 * - `control`, `admin`, `zeromq`: a request to the control API or the admin listener, a ZeroMQ message
 * - `worker`: a message between primary and worker
 * - `watch`: a file that has changed, or a signal that asks for a reload
 * - `process`: nothing caught it before the process itself
 */
export const faultPlaces = [
  'client',
  'origin',
  'delivery',
  'history',
  'timer',
  'backplane',
  'control',
  'admin',
  'zeromq',
  'worker',
  'watch',
  'process',
] as const;

export type FaultPlace = (typeof faultPlaces)[number];

/** What a fault ends: a request, a hold, a session, a connection. */
export interface Faulty {
  /** The id of its log lines, if it has one. */
  readonly id?: string;
  /**
   * Ends it because of a fault of ours, and lets go of all that it holds: an answer that has not begun becomes a 500, one
   * that has is cut, a WebSocket is closed with 1011. Does nothing when it has ended already.
   */
  fault?(error: unknown): void;
}

/** Counts faults; implemented by the metrics. */
export interface FaultEvents {
  faultCaught(where: FaultPlace): void;
}

/**
 * Takes what was thrown behind an entrance from the event loop (a callback of a socket, an origin, a timer, a backplane, a file
 * watcher): each catches, and hands over here. Only the composition root of the process may end the process.
 */
export interface Containment {
  /**
   * Counts a fault, writes one error line with its stack, and ends `what` it belongs to, if that is known. Never throws,
   * even where ending it throws again: that is one more fault.
   */
  caught(where: FaultPlace, error: unknown, what?: Faulty): void;
  /** Runs `act`, and catches what it throws. For entrances that are not on the path of a delivery or a relayed byte. */
  run(where: FaultPlace, act: () => void, what?: Faulty): void;
  /** The same for work that goes on: a rejection is caught. */
  watch(where: FaultPlace, work: Promise<unknown>, what?: Faulty): void;
}

/** The containment of a process. */
export class Faults implements Containment {
  readonly #log: Log;
  readonly #events: FaultEvents;

  constructor(log: Log, events: FaultEvents) {
    this.#log = log;
    this.#events = events;
  }

  caught(where: FaultPlace, error: unknown, what?: Faulty): void {
    this.#report(where, error, what?.id);
    try {
      what?.fault?.(error);
    } catch (second) {
      this.#report(where, second, what?.id);
    }
  }

  run(where: FaultPlace, act: () => void, what?: Faulty): void {
    try {
      act();
    } catch (error) {
      this.caught(where, error, what);
    }
  }

  watch(where: FaultPlace, work: Promise<unknown>, what?: Faulty): void {
    work.catch((error: unknown) => this.caught(where, error, what));
  }

  #report(where: FaultPlace, error: unknown, id: string | undefined): void {
    try {
      this.#events.faultCaught(where);
      const stack = error instanceof Error ? error.stack : `thrown: ${String(error)}`;
      this.#log.error({ id, where, stack }, 'fault: Holdfast itself failed');
    } catch {
      // An error whose own message cannot be had: it is counted, and that is all that can be done.
    }
  }
}

/** Contains nothing: what is thrown goes on. For parts that are used without a process around them, as in tests. */
export const uncontained: Containment = {
  caught: (_where, error) => {
    throw error;
  },
  run: (_where, act) => act(),
  watch: (_where, work) => void work,
};

/** Containment that counts nothing: for backplanes that are used without a process around them. */
export function loggedFaults(log: Log): Containment {
  return new Faults(log, { faultCaught() {} });
}
