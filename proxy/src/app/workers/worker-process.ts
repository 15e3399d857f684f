/** One worker as its primary sees it: what it is started with, the process, the channel to it, its link, its end. */
import cluster, { type Worker } from 'node:cluster';
import type { Socket } from 'node:net';
import {
  type BackplaneHub,
  type Containment,
  type EventSink,
  type Log,
  type MessageEncoder,
  type OccupancyShare,
  type Revocation,
  type StatsSink,
  type TurnEnd,
  WorkerLink,
} from '@holdfast/control-api';
import type { Config } from '../../config/config.js';
import { WorkerError } from '../../errors.js';
import type { CallbackOffice } from '../../request/callback-order.js';
import { guardedClock, realClock, type Timer } from '../../runtime/clock.js';
import { type WorkerReport, WorkerReports } from '../customer-events.js';
import type { DataPlaneLoad } from '../data-plane.js';
import { CHANNEL_QUEUE_MAX, Channel } from './channel.js';
import { PIPE_FD, Pipe } from './pipe.js';
import { carryOut, PRESENCE_TOPIC, type PresenceRow } from './worker-presence.js';

/**
 * How long a worker that is to stop may take beyond the time for its open requests, in ms; its log takes some.
 *
 * @limit {s} for a worker to stop, beside `shutdown_requests`
 * @over it is killed, logged
 */
const STOP_MS = 5_000;

/** What a worker is started with: the primary's answer to `init`. */
export interface WorkerInit {
  /** Its share of the node's limits included. */
  readonly config: Config;
  /** Unique among all workers of this primary; not used again after a restart. */
  readonly number: number;
  /** What the ids of its requests begin with. */
  readonly instance: string;
  /** From which session tickets get their keys, where no file is configured: the same with all workers. */
  readonly ticketSecret: Buffer;
  /** Whether the backplane keeps history. */
  readonly history: boolean;
  /** Tokens of clients that are revoked. */
  readonly revocations: readonly Revocation[];
  /** Types of statistics packets that are wanted. */
  readonly wants: readonly string[];
}

/** What a worker reports again and again. */
export interface WorkerLoad extends DataPlaneLoad {
  /** Holds and sessions. */
  readonly holds: number;
}

/** How a worker ends what it holds: see `HoldDrain.spread`. */
export interface SpreadOrder {
  /** In ms. */
  readonly window: number;
  /** How many workers share the pace. */
  readonly processes: number;
  /** Of this worker's orders, of which the last one counts. */
  readonly n: number;
}

/** Why a worker cannot serve: a code, if it is one that operators know, and a line. */
export interface WorkerFailure {
  readonly code: string | undefined;
  readonly message: string;
}

/** What a {@link WorkerProcess} is made of. */
export interface WorkerProcessOptions {
  /** Asked for when the worker has started. */
  readonly init: () => WorkerInit;
  readonly number: number;
  readonly hub: BackplaneHub;
  readonly encoder: MessageEncoder;
  readonly turn: TurnEnd;
  readonly statsSink: StatsSink;
  /** For this worker alone; closed with it. */
  readonly presence: OccupancyShare;
  /** Undefined: nobody wants events. */
  readonly events: EventSink | undefined;
  /** Undefined: there are no callbacks. */
  readonly callbacks: CallbackOffice | undefined;
  readonly log: Log;
  readonly faults: Containment;
  /** Called once when the process has ended: by a signal, with its name, or by itself, with its status. */
  readonly ended: (signal: string | undefined, status: number | undefined) => void;
}

/** A worker process. Started at once. */
export class WorkerProcess {
  readonly number: number;
  readonly channel: Channel;
  /** Resolves with its listeners' URLs when it serves; rejects when it cannot, or ends before. */
  readonly serving: Promise<readonly string[]>;
  readonly startedAt = realClock.monotonic();
  #spreads = 0;
  #load: WorkerLoad = { connections: 0, channels: 0, holds: 0 };
  #isServing = false;
  readonly #process: Worker;
  readonly #log: Log;
  readonly #exited: Promise<void>;
  readonly #link: WorkerLink;

  constructor({
    init,
    number,
    hub,
    encoder,
    turn,
    statsSink,
    presence,
    events,
    callbacks,
    log,
    faults,
    ended,
  }: WorkerProcessOptions) {
    this.number = number;
    this.#log = log;
    this.#process = cluster.fork();
    const clock = guardedClock(faults);
    const pipe = new Pipe(this.#process.process.stdio[PIPE_FD] as Socket);
    this.channel = new Channel(pipe, {
      clock,
      overflowed: () => this.#giveUp(),
      faulted: (error) => faults.caught('worker', error),
    });
    const port = this.channel.port('backplane');
    const link = new WorkerLink({ share: hub.share(), port, encoder, turn, clock });
    this.#link = link;
    this.channel.answer('init', init);
    this.channel.on('stats', (packet: Uint8Array) =>
      statsSink.send(Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength)),
    );
    this.channel.on(PRESENCE_TOPIC, (rows: readonly PresenceRow[]) => carryOut(rows, presence));
    const reports = new WorkerReports(events);
    this.channel.on('events', (reported: readonly WorkerReport[]) => reports.take(reported));
    if (callbacks !== undefined) this.channel.answer('callback', callbacks);
    this.channel.on('load', (load: WorkerLoad) => {
      this.#load = load;
    });
    // What it has sent before its end is read before that.
    const drained = new Promise<void>((resolve) => pipe.once('disconnect', resolve));
    const exit = new Promise<[number, NodeJS.Signals | null]>((resolve) =>
      this.#process.once('exit', (...how) => drained.then(() => resolve(how as [number, NodeJS.Signals | null]))),
    );
    this.serving = new Promise((resolve, reject) => {
      this.channel.on('serving', (urls: readonly string[]) => {
        this.#isServing = true;
        resolve(urls);
      });
      this.channel.on('failed', ({ code, message }: WorkerFailure) =>
        reject(Object.assign(new Error(message), { code })),
      );
      void exit.then(([status, signal]) => {
        const how = signal ?? `status ${status}`;
        reject(new WorkerError('ERR_WORKER_START', `worker ${number} ended (${how}) before it served clients`));
      });
    });
    // The pool looks at it, or at the end of the process.
    this.serving.catch(() => {});
    this.#exited = exit.then(([status, signal]) => {
      this.#isServing = false;
      void link.close();
      presence.close();
      reports.close();
      ended(signal ?? undefined, signal === null ? status : undefined);
    });
  }

  get pid(): number | undefined {
    return this.#process.process.pid;
  }

  /** Whether it serves clients now. */
  get isServing(): boolean {
    return this.#isServing;
  }

  /** As last reported. */
  get load(): WorkerLoad {
    return this.#load;
  }

  /** Has it end what it holds; resolves when it has, or has itself ended, or does not say so in time. */
  async spread(order: Omit<SpreadOrder, 'n'>): Promise<void> {
    const n = ++this.#spreads;
    let timer: Timer | undefined;
    const done = new Promise<void>((resolve) => {
      this.channel.on('spread-out', (over: number) => {
        if (over === n) resolve();
      });
      timer = realClock.after(order.window + STOP_MS, resolve);
    });
    void this.channel.notify('spread', { ...order, n } satisfies SpreadOrder);
    await Promise.race([done, this.#exited]);
    realClock.clear(timer);
  }

  /**
   * Has it drain and leave; resolves when it has ended, which it is made to when it takes more than a while longer than
   * `drainMs`, what it gives its requests under way.
   */
  async stop(drainMs: number): Promise<void> {
    this.#isServing = false;
    // Items that were taken before reach their subscribers before these are let go.
    this.#link.flush();
    void this.channel.notify('stop');
    const timer = realClock.after(drainMs + STOP_MS, () => {
      this.#log.warn({ worker: this.number }, 'worker did not stop in time: killed');
      this.#process.process.kill('SIGKILL');
    });
    await this.#exited;
    realClock.clear(timer);
  }

  #giveUp(): void {
    const fields = { worker: this.number, queued: this.channel.queued, limit: CHANNEL_QUEUE_MAX };
    this.#log.error(fields, 'worker does not read what it is sent: killed');
    this.#process.process.kill('SIGKILL');
  }
}
