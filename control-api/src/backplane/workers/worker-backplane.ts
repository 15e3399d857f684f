/** The backplane of a worker process: that of its primary, over a link. */
import { ControlError, type ControlErrorCode, refusalOf, startedTwice, unavailable } from '../../errors.js';
import { type Containment, loggedFaults } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import {
  type Acceptance,
  type Backplane,
  type BackplaneListener,
  GuardedListener,
  type History,
  type HistoryPage,
  type HistoryStart,
  type Message,
  type Position,
  type PrefixInterest,
} from '../backplane.js';
import {
  decodeBatch,
  encodeBatch,
  machineNow,
  type PageMessage,
  type PrimaryMessage,
  type WorkerMessage,
} from './link-batch.js';
import { decodeMessage, encodeMessage } from './message-bytes.js';
import type { LinkPort } from './worker-link.js';

/** What a {@link WorkerBackplane} is made of. */
export interface WorkerBackplaneOptions {
  readonly port: LinkPort;
  /** Whether the backplane of the primary keeps any. */
  readonly history: boolean;
  readonly log: Log;
  /** Left out: faults are logged only. */
  readonly faults?: Containment;
}

/** A channel, or a prefix → what its `subscribe` waits for; undefined once it is live. */
type Interest = Map<string, Promise<void> | undefined>;

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: ControlError): void;
}

/**
 * {@link Backplane} of one worker. Interest is never live on return of `subscribe`, but after a round trip; it has been
 * posted by then, with all that was asked before it. The rest of what is asked within one callback goes in one post.
 */
export class WorkerBackplane implements Backplane, PrefixInterest {
  /** Only where the primary's backplane keeps history; see `historyOf`. */
  readonly read?: History['read'];
  readonly head?: History['head'];
  readonly remove?: History['remove'];
  readonly #port: LinkPort;
  readonly #faults: Containment;
  readonly #channels: Interest = new Map();
  readonly #prefixes: Interest = new Map();
  readonly #waiting = new Map<number, Waiting>();
  #state: 'new' | 'starting' | 'live' | 'closed' = 'new';
  #listener: BackplaneListener | undefined;
  #outgoing: WorkerMessage[] = [];
  #count = 0;
  #unavailableReason: string | undefined;
  #isLost = false;
  #closing: Promise<void> | undefined;

  constructor({ port, history, log, faults = loggedFaults(log) }: WorkerBackplaneOptions) {
    this.#port = port;
    this.#faults = faults;
    if (history) {
      this.read = (channel, start, limit) => this.#refusal() ?? this.#read(channel, start, limit);
      this.head = (channel, ago) => this.#refusal() ?? this.#head(channel, ago);
      this.remove = (channel) => this.#refusal() ?? this.#remove(channel);
    }
    port.listen(
      (batch) => this.#receive(batch as Buffer),
      () => this.#onLost(),
    );
  }

  async start(listener: BackplaneListener): Promise<void> {
    if (this.#state === 'closed') return this.#refusal();
    if (this.#state !== 'new') {
      throw startedTwice();
    }
    this.#state = 'starting';
    this.#listener = new GuardedListener(listener, this.#faults);
    await this.#ask((n) => ['start', n]);
    if (this.#state === 'starting') this.#state = 'live';
  }

  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    return this.#refusal() ?? this.#publish(messages);
  }

  subscribe(channel: string): Promise<void> | undefined {
    return this.#refusal() ?? this.#subscribe(this.#channels, channel, (n) => ['subscribe', n, channel]);
  }

  unsubscribe(channel: string): void {
    if (this.#channels.delete(channel)) this.#send(['unsubscribe', channel]);
  }

  subscribePrefix(prefix: string): Promise<void> | undefined {
    return this.#refusal() ?? this.#subscribe(this.#prefixes, prefix, (n) => ['subscribe-prefix', n, prefix]);
  }

  unsubscribePrefix(prefix: string): void {
    if (this.#prefixes.delete(prefix)) this.#send(['unsubscribe-prefix', prefix]);
  }

  close(): Promise<void> {
    this.#state = 'closed';
    this.#listener = undefined;
    this.#channels.clear();
    this.#prefixes.clear();
    this.#closing ??= this.#ask((n) => ['close', n]).then(
      () => {},
      () => {},
    );
    return this.#closing;
  }

  get unavailableReason(): string | undefined {
    return this.#unavailableReason;
  }

  #subscribe(interest: Interest, name: string, message: (n: number) => WorkerMessage): Promise<void> | undefined {
    if (interest.has(name)) return interest.get(name);
    const pending: Promise<void> = this.#ask(message).then(
      () => {
        if (interest.get(name) === pending) interest.set(name, undefined);
      },
      (error) => {
        if (interest.get(name) === pending) interest.delete(name);
        throw error;
      },
    );
    interest.set(name, pending);
    // At once, so that it precedes the effects of what the caller does next, such as an answer that lets its client publish.
    this.#flush();
    return pending;
  }

  async #publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    const encoded = messages.map(encodeMessage);
    return (await this.#ask((n) => ['publish', n, encoded])) as readonly Acceptance[];
  }

  async #read(channel: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined> {
    const page = (await this.#ask((n) => ['read', n, channel, start, limit])) as PageMessage | undefined;
    return page && ({ ...page, messages: page.messages.map(decodeMessage) } as HistoryPage);
  }

  async #head(channel: string, ago: number | undefined): Promise<Position | undefined> {
    const at = ago === undefined ? undefined : machineNow() - ago;
    return (await this.#ask((n) => (at === undefined ? ['head', n, channel] : ['head', n, channel, at]))) as
      | Position
      | undefined;
  }

  async #remove(channel: string): Promise<void> {
    await this.#ask((n) => ['remove', n, channel]);
  }

  #ask(message: (n: number) => WorkerMessage): Promise<unknown> {
    if (this.#isLost) return Promise.reject(lost());
    const n = ++this.#count;
    const answer = new Promise((resolve, reject) => this.#waiting.set(n, { resolve, reject }));
    this.#send(message(n));
    return answer;
  }

  #send(message: WorkerMessage): void {
    if (this.#outgoing.push(message) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return;
    const messages = this.#outgoing;
    this.#outgoing = [];
    if (!this.#isLost) this.#port.post(encodeBatch(messages));
  }

  #receive(batch: Buffer): void {
    for (const message of decodeBatch<PrimaryMessage>(batch)) {
      switch (message[0]) {
        case 'message':
          this.#deliver(decodeMessage(message[1]));
          break;
        case 'one':
          this.#offer(decodeMessage(message[2]), message[1]);
          break;
        case 'gap':
          if (this.#wants(message[1].channel, message[1].prefix)) this.#listener?.onGap(message[1]);
          break;
        case 'done':
          this.#take(message[1])?.resolve(message[2]);
          break;
        case 'failed':
          this.#take(message[1])?.reject(new ControlError(message[2] as ControlErrorCode, message[3]));
          break;
        case 'unavailable':
          this.#unavailableReason = message[1];
      }
    }
  }

  #take(n: number): Waiting | undefined {
    const waiting = this.#waiting.get(n);
    this.#waiting.delete(n);
    return waiting;
  }

  #deliver(message: Message): void {
    if (message.type === 'item' && !this.#wants(message.item.channel, message.prefix)) return;
    this.#listener?.onMessage(message);
  }

  #offer(message: Message, n: number): void {
    const pass = () => this.#send(['pass', n]);
    // What is granted at once is answered by nothing.
    const take = () =>
      this.#ask((ask) => ['take', ask, n]).then(
        (granted) => granted !== false,
        () => false,
      );
    if (message.type !== 'item' || !this.#wants(message.item.channel, message.prefix)) pass();
    else if (this.#listener === undefined) pass();
    else this.#listener.onMessage({ ...message, claim: { take, pass } });
  }

  #wants(channel: string, prefix: string | undefined): boolean {
    return prefix === undefined ? this.#channels.has(channel) : this.#prefixes.has(prefix);
  }

  #onLost(): void {
    this.#isLost = true;
    this.#unavailableReason = lost().message;
    for (const { reject } of this.#waiting.values()) reject(lost());
    this.#waiting.clear();
  }

  #refusal(): Promise<never> | undefined {
    if (this.#state === 'live') return undefined;
    return Promise.reject(refusalOf(this.#state === 'closed'));
  }
}

function lost(): ControlError {
  return unavailable('The primary process has gone.');
}
