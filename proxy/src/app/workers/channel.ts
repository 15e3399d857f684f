/** Notifications, questions and answers by topic between primary and worker, over a pipe, or the IPC channel of a process. */
import type { LinkPort } from '@holdfast/control-api';
import type { Clock } from '../../runtime/clock.js';

/**
 * How much may wait for the other process to read it, in bytes: about 10,000 items of 6 KB. What exceeds it is sent all the
 * same, but `overflowed` is called: one who does not read for so long is not coming back.
 *
 * @limit {MiB} that wait for one worker to read them
 * @over the worker is killed and replaced, logged
 */
export const CHANNEL_QUEUE_MAX = 64 * 1024 * 1024;

/**
 * How long an answer may take, in ms: processes of one machine answer at once, or are stuck.
 *
 * @limit {s} for an answer of another process
 * @over it counts as absent
 */
export const ANSWER_MS = 5_000;

/** Roughly what a message takes beside its content, in bytes. */
const MESSAGE_BYTES = 128;

/** One end of what carries a {@link Channel}: a `Pipe`, or a process that node has connected with this one. */
export interface IpcEnd {
  readonly connected: boolean;
  send?(message: unknown, handle: undefined, options: undefined, sent: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

/** How a {@link Channel} is made. */
export interface ChannelOptions {
  readonly clock: Clock;
  /** Called once, when more than {@link CHANNEL_QUEUE_MAX} bytes wait. */
  readonly overflowed?: () => void;
  /** Takes what is thrown while a message is handled. Left out, it is thrown on. */
  readonly faulted?: (error: unknown) => void;
}

type Frame =
  | readonly ['notify', string, unknown]
  | readonly ['ask', string, unknown, number]
  | readonly ['answer', number, unknown]
  | readonly ['failure', number, string];

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** One end of the conversation. Order is kept; what is sent to an end that has gone is lost. */
export class Channel {
  readonly #end: IpcEnd;
  readonly #clock: Clock;
  readonly #overflowed: () => void;
  readonly #listeners = new Map<string, (body: unknown) => void>();
  readonly #answerers = new Map<string, (body: unknown) => unknown>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #closers: Array<() => void> = [];
  #count = 0;
  #queued = 0;
  #isOver = false;

  constructor(end: IpcEnd, { clock, overflowed = () => {}, faulted }: ChannelOptions) {
    this.#end = end;
    this.#clock = clock;
    this.#overflowed = overflowed;
    const guard = (handle: () => void) => {
      try {
        handle();
      } catch (error) {
        if (faulted === undefined) throw error;
        faulted(error);
      }
    };
    end.on('message', (frame) => guard(() => this.#receive(frame as Frame)));
    end.on('disconnect', () => guard(() => this.#close()));
  }

  /** Sends a notification; resolves when it is on its way. `bytes` is roughly how much it is. */
  notify(topic: string, body?: unknown, bytes = 0): Promise<void> {
    return this.#send(['notify', topic, body], bytes);
  }

  /** Listens to the notifications of the other end on a topic. */
  on(topic: string, listener: (body: never) => void): void {
    this.#listeners.set(topic, listener as (body: unknown) => void);
  }

  /** Asks the other end; rejects when it fails, goes away, or takes longer than {@link ANSWER_MS}. */
  async ask(topic: string, body?: unknown): Promise<unknown> {
    const n = ++this.#count;
    let timer: ReturnType<Clock['after']> | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(n, { resolve, reject });
        timer = this.#clock.after(ANSWER_MS, () => reject(new Error(`no answer about ${topic}`)));
        if (this.#end.connected) void this.#send(['ask', topic, body, n], 0);
        else reject(new Error('the other process has gone'));
      });
    } finally {
      this.#clock.clear(timer);
      this.#waiting.delete(n);
    }
  }

  /** Answers what the other end asks on a topic, now or later. */
  answer(topic: string, answerer: (body: never) => unknown): void {
    this.#answerers.set(topic, answerer as (body: unknown) => unknown);
  }

  /** A port for a link, over a topic of its own. */
  port(topic: string): LinkPort {
    return {
      post: (batch) => this.#post(['notify', topic, batch], batch.length, () => {}),
      listen: (received, closed) => {
        this.on(topic, received);
        this.#closers.push(closed);
      },
    };
  }

  /** Bytes that wait to be sent. */
  get queued(): number {
    return this.#queued;
  }

  #send(frame: Frame, bytes: number): Promise<void> {
    return new Promise((resolve) => this.#post(frame, bytes, resolve));
  }

  #post(frame: Frame, bytes: number, done: () => void): void {
    if (!this.#end.connected || this.#end.send === undefined) {
      done();
      return;
    }
    const weight = bytes + MESSAGE_BYTES;
    this.#queued += weight;
    if (this.#queued > CHANNEL_QUEUE_MAX && !this.#isOver) {
      this.#isOver = true;
      this.#overflowed();
    }
    // An error means that the other end has gone: `disconnect` follows.
    this.#end.send(frame, undefined, undefined, () => {
      this.#queued -= weight;
      done();
    });
  }

  #receive(frame: Frame): void {
    switch (frame[0]) {
      case 'notify':
        this.#listeners.get(frame[1])?.(frame[2]);
        break;
      case 'ask':
        void this.#reply(frame[1], frame[2], frame[3]);
        break;
      case 'answer':
        this.#waiting.get(frame[1])?.resolve(frame[2]);
        break;
      case 'failure':
        this.#waiting.get(frame[1])?.reject(new Error(frame[2]));
    }
  }

  async #reply(topic: string, body: unknown, n: number): Promise<void> {
    try {
      void this.#send(['answer', n, await this.#answerers.get(topic)?.(body)], 0);
    } catch (error) {
      void this.#send(['failure', n, (error as Error).message], 0);
    }
  }

  #close(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('the other process has gone'));
    for (const close of this.#closers) close();
  }
}
