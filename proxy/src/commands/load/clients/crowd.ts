/** The clients of a load run: they are opened at a rate, and those that lose their connection come again as honest users do. */
import type { Agent as HttpAgent } from 'node:http';
import { oneLine } from '../../../runtime/legible.js';
import { openMessageClient } from '../../../websocket/ws-client.js';
import { Recorder } from '../histogram.js';
import { MarkReader } from '../mark.js';
import type { Tally } from '../tally.js';
import { PORT_TAKEN } from './own-ports.js';
import { makePollAgent, openPoll } from './polls.js';
import { EventReader, LineReader, MAX_TEXT, type OnMark, type Reader, WholeReader } from './readers.js';
import { openStream } from './streams.js';
import {
  type End,
  type Ending,
  errorEnding,
  headersOf,
  type Listener,
  statusEnding,
  type Target,
} from './transport.js';

/**
 * Reasons that are counted apart.
 *
 * @limit {} reasons for failed and lost connections in a report of `holdfast load`
 * @over counted as "other"
 */
export const MAX_REASONS = 40;

/** How often the ramp is looked at, in ms. */
const STEP_MS = 10;

/** First wait before a client comes again, in ms, as browsers have it for event streams; it doubles up to the longest. */
const FIRST_WAIT_MS = 3_000;
const LONGEST_WAIT_MS = 30_000;

/** Milliseconds since the Unix epoch, to the µs, that never jump while the process runs. */
export const now = (): number => performance.timeOrigin + performance.now();

/** Counts by reason. */
export class Reasons {
  readonly #counts = new Map<string, number>();
  #total = 0;

  add(reason: string): void {
    const line = oneLine(reason);
    const name = this.#counts.has(line) || this.#counts.size < MAX_REASONS ? line : 'other';
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#total++;
  }

  get total(): number {
    return this.#total;
  }

  read(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([, a], [, b]) => b - a));
  }
}

/**
 * Own ports that a client tries, where others have them.
 *
 * @limit {} own ports that a client of `holdfast load` finds taken
 * @over each further one counts as a failure
 */
const COLLISIONS_MAX = 100;

/** One client, connected or not. */
class Client {
  readonly index: number;
  readonly reader: Reader;
  isHeld = false;
  wait = FIRST_WAIT_MS;
  /** Own ports that were taken. */
  collisions = 0;
  end: End | undefined;
  timer: NodeJS.Timeout | undefined;

  constructor(index: number, reader: Reader) {
    this.index = index;
    this.reader = reader;
  }
}

/** How many clients there are, and how fast they are opened. */
export interface CrowdSize {
  readonly clients: number;
  readonly perSecond: number;
}

/** All clients of this process. */
export class Crowd {
  /** From when a client should have asked to when it was held, of first attempts. */
  readonly opening = new Recorder();
  /** From when an item was due to when it was there. */
  readonly delivery = new Recorder();
  /** The same, of the second that is counted; cleared by who reads it. */
  readonly latest = new Recorder();
  /** Attempts that did not lead to a held connection. */
  readonly failed = new Reasons();
  /** Held connections that ended before the run did. */
  readonly lost = new Reasons();
  /** Clients whose connection is held. */
  open = 0;
  /** Clients that have been held. */
  held = 0;
  /** Clients that were held before, and are again. */
  reconnected = 0;
  /** Clients that the server does not want. */
  refused = 0;
  readonly #target: Target;
  readonly #size: CrowdSize;
  readonly #tally: Tally;
  readonly #marks = new MarkReader();
  readonly #agent: HttpAgent;
  readonly #clients: Client[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;
  /** Clients whose first attempt has neither succeeded nor failed. */
  #untried: number;

  constructor(target: Target, size: CrowdSize, tally: Tally) {
    this.#target = target;
    this.#size = size;
    this.#tally = tally;
    this.#agent = makePollAgent(target);
    this.#untried = size.clients;
  }

  /** Whether every client has been held, or has failed once. */
  get isRamped(): boolean {
    return this.#untried === 0;
  }

  /** Opens clients at their rate from now on: each has its time, however late this process is. */
  start(): void {
    const start = now();
    const { clients, perSecond } = this.#size;
    const step = () => {
      const due = Math.min(clients, Math.floor(((now() - start) / 1_000) * perSecond) + 1);
      while (this.#clients.length < due) this.#add(start + (this.#clients.length / perSecond) * 1_000);
      if (this.#clients.length === clients) clearInterval(this.#timer);
    };
    this.#timer = setInterval(step, STEP_MS);
    step();
  }

  /** Ends all connections from this side. */
  end(): void {
    this.#isEnded = true;
    clearInterval(this.#timer);
    for (const client of this.#clients) {
      clearTimeout(client.timer);
      client.end?.();
    }
    this.#agent.destroy();
  }

  #add(due: number): void {
    const index = this.#clients.length;
    const client = new Client(
      index,
      this.#makeReader((mark) => {
        const moment = now();
        const late = this.#tally.take(index, mark, moment);
        this.#found = true;
        if (late === undefined) return;
        this.delivery.add(late);
        this.latest.add(late);
      }),
    );
    this.#clients.push(client);
    this.#connect(client, due);
  }

  /** Whether there was an item in the text that is read. */
  #found = false;

  #makeReader(onMark: OnMark): Reader {
    const { kind } = this.#target;
    if (kind === 'sse') return new EventReader(this.#marks, onMark);
    return kind === 'stream' ? new LineReader(this.#marks, onMark) : new WholeReader(this.#marks, onMark);
  }

  /** `due` is given for the first attempt only. */
  #connect(client: Client, due?: number): void {
    client.reader.restart();
    let isFirst = due !== undefined;
    const tried = () => {
      if (isFirst) this.#untried--;
      isFirst = false;
    };
    client.end = this.#open(client, {
      held: () => {
        const moment = now();
        if (isFirst) this.opening.add(moment - (due as number));
        tried();
        if (this.#tally.wasHeld(client.index)) this.reconnected++;
        else this.held++;
        this.#tally.held(client.index, moment);
        client.isHeld = true;
        client.wait = FIRST_WAIT_MS;
        this.open++;
      },
      text: (text) => {
        this.#found = false;
        client.reader.read(text);
        return this.#found;
      },
      ended: (ending) => {
        if (ending.reason === PORT_TAKEN && client.collisions++ < COLLISIONS_MAX) {
          // The next one is tried, and nothing has failed.
          client.timer = setTimeout(() => this.#connect(client, isFirst ? due : undefined), 0);
          return;
        }
        tried();
        this.#ended(client, ending);
      },
    });
  }

  #ended(client: Client, { reason, isFinal = false, after }: Ending): void {
    client.end = undefined;
    (client.isHeld ? this.lost : this.failed).add(reason);
    if (client.isHeld) this.open--;
    client.isHeld = false;
    if (this.#isEnded) return;
    if (isFinal) {
      this.refused++;
      return;
    }
    // Not all at once after they were all sent away at once.
    const wait = after ?? client.reader.retry ?? client.wait * (0.5 + Math.random() / 2);
    client.wait = Math.min(client.wait * 2, LONGEST_WAIT_MS);
    client.timer = setTimeout(() => this.#connect(client), wait);
  }

  #open({ index, reader }: Client, listener: Listener): End {
    const target = this.#target;
    if (target.kind === 'poll') return openPoll(target, this.#agent, index, listener);
    if (target.kind !== 'ws') return openStream(target, index, reader.lastId, listener);
    const options = { headers: headersOf(target, {}), timeout: target.timeout, maxMessage: MAX_TEXT };
    return openMessageClient(
      target.url,
      { ...options, ...target.own.take(index) },
      {
        open: (say) => {
          listener.held();
          if (target.send !== undefined) say(target.send);
        },
        message: (data) => void listener.text(data.toString('latin1')),
        refused: (response) => listener.ended(statusEnding(response)),
        closed: (code) => listener.ended({ reason: `closed with ${code}` }),
        failed: (error) => listener.ended(errorEnding(error)),
      },
    );
  }
}
