/** What waits for one callback on one of its channels: read ahead a little, in order, from where the last keeper was. */
import type { RedisCommands } from '../../backplane/redis/connection/commands.js';
import { decodePayload } from '../../backplane/redis/envelope.js';
import type { ChannelKeys } from '../../backplane/redis/keys.js';
import { callbacksFull } from '../../errors.js';
import type { QueuedItem } from '../store.js';
import {
  CHANNEL_CALLBACKS_MAX,
  CONSUMER,
  closeScript,
  doneScript,
  openScript,
  QUEUE_TTL_MS,
  takeScript,
} from './scripts.js';

/**
 * Items of a channel that are read at a time for a callback, and then lie in memory; one where the last attempt has failed.
 *
 * @limit {} items of a channel that are read ahead for a callback
 * @over the others wait in Redis
 */
export const READ_AHEAD = 8;

/**
 * Characters of items that are read ahead for all callbacks of a node.
 *
 * @limit {Mi} characters of items that are read ahead for callbacks, on a node
 * @over for each callback one item is read at a time
 */
export const AHEAD_CHARS = 64 * 1024 * 1024;

/** What is read ahead for all callbacks of a node. */
export interface ReadAhead {
  chars: number;
}

/** After so many items that are done, those that all callbacks are done with are let go of. */
const TRIM_AFTER = 64;

/** An item of the queue. */
export interface QueueEntry extends QueuedItem {
  readonly channel: string;
  /** Its id in the stream. */
  readonly entry: string;
  /** When it was accepted, in ms by the clock of Redis. */
  readonly at: number;
  /** Of its payload. */
  readonly chars: number;
}

/** Where the reading is: what was given to a keeper before and is not done comes first. */
type Place = { readonly reads: 'given'; readonly after: string } | { readonly reads: 'new' };

const BEGIN: Place = { reads: 'given', after: '0-0' };

/** Not for two calls at a time. */
export class CallbackQueue {
  readonly channel: string;
  readonly #commands: Pick<RedisCommands, 'run'>;
  readonly #keys: ChannelKeys;
  readonly #group: string;
  readonly #all: ReadAhead;
  #place: Place = BEGIN;
  #ahead: QueueEntry[] = [];
  /** The number of the item that was read last; undefined where it is not known yet. */
  #last: number | undefined;
  #lost = 0;
  #done = 0;
  #isDry = false;
  #isLeft = false;
  /** Counts how often reading began anew: what was on its way before counts no more. */
  #turn = 0;
  /** An attempt has failed: nothing is read ahead, for it may be hours before it is needed. */
  #isSlow = false;

  constructor(channel: string, keys: ChannelKeys, group: string, commands: Pick<RedisCommands, 'run'>, all: ReadAhead) {
    this.#all = all;
    this.channel = channel;
    this.#keys = keys;
    this.#group = group;
    this.#commands = commands;
  }

  /**
   * Has items wait from now on, unless they do already.
   * @throws ControlError ERR_CALLBACKS_FULL
   */
  async open(): Promise<void> {
    const reply = await this.#run(openScript, [this.#group, QUEUE_TTL_MS, CHANNEL_CALLBACKS_MAX]);
    if (reply === -1) throw callbacksFull();
    const [number, isNew] = reply as [string, number];
    this.#last = Number(number);
    if (isNew === 1) this.#place = { reads: 'new' };
  }

  /** Nothing waits any more. */
  async end(): Promise<void> {
    await this.#run(closeScript, [this.#group]);
  }

  /** Reads anew from what is not done: another node may have kept the callback meanwhile. */
  restart(): void {
    this.#place = BEGIN;
    this.#forget();
    this.#last = undefined;
    this.#isDry = false;
  }

  /** The queue is not used any more: what is on its way, or was read ahead, is another node's. */
  leave(): void {
    this.#isLeft = true;
    this.#forget();
  }

  /** Something may have come. */
  wake(): void {
    this.#isDry = false;
  }

  /** Whether attempts fail: then nothing is kept in memory. */
  slow(isSlow: boolean): void {
    if (isSlow && !this.#isSlow) {
      this.#place = BEGIN;
      this.#forget();
    }
    this.#isSlow = isSlow;
  }

  /** Items that had to go before that of {@link peek}, since this was last asked. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** The oldest item that is not done; undefined where none waits, and `gone` where nothing can wait, for the group is not there. */
  async peek(): Promise<QueueEntry | undefined | 'gone'> {
    while (this.#ahead.length === 0 && !this.#isDry && !this.#isLeft) {
      const { reads } = this.#place;
      const start = this.#place.reads === 'given' ? this.#place.after : '>';
      const count = this.#isSlow || this.#all.chars > AHEAD_CHARS ? 1 : READ_AHEAD;
      // What comes while it is read is looked for again.
      this.#isDry = reads === 'new';
      const turn = this.#turn;
      const reply = await this.#run(takeScript, [this.#group, CONSUMER, start, count, QUEUE_TTL_MS]).catch((error) => {
        // Redis may have given them all the same: they are not to be passed over.
        if (turn === this.#turn) this.#place = BEGIN;
        this.#isDry = false;
        throw error;
      });
      if (turn !== this.#turn) continue;
      if (reply === -1) return 'gone';
      const last = await this.#read(reply as readonly string[], reads === 'new');
      if (last !== undefined) this.#isDry = false;
      if (reads === 'given') this.#place = last === undefined ? { reads: 'new' } : { reads: 'given', after: last };
    }
    return this.#ahead[0];
  }

  /** The item of {@link peek} is done with. */
  async done({ entry }: Pick<QueueEntry, 'entry'>): Promise<void> {
    const trims = ++this.#done % TRIM_AFTER === 0;
    await this.#run(doneScript, [this.#group, trims ? '1' : '0', entry]);
    if (this.#ahead[0]?.entry !== entry) return;
    this.#all.chars -= this.#ahead.shift()?.chars ?? 0;
  }

  /** Lets go of what was read ahead; what is on its way counts no more. */
  #forget(): void {
    this.#turn++;
    for (const { chars } of this.#ahead) this.#all.chars -= chars;
    this.#ahead = [];
  }

  /** Adds what was read; resolves with the id of the last of it. */
  async #read(reply: readonly string[], isNew: boolean): Promise<string | undefined> {
    const gone: string[] = [];
    let last: string | undefined;
    for (let i = 0; i + 4 <= reply.length; i += 4) {
      const [entry = '', payload = '', place = '', time = ''] = reply.slice(i, i + 4);
      last = entry;
      const number = Number(entry.split('-', 1)[0]);
      // Those between were let go of before they could be read.
      if (isNew && this.#last !== undefined && number > this.#last + 1) this.#lost += number - this.#last - 1;
      this.#last = Math.max(this.#last ?? 0, number);
      if (payload === '') gone.push(entry);
      else this.#ahead.push(this.#entryOf(entry, payload, place, time));
      this.#all.chars += payload.length;
    }
    if (gone.length > 0) {
      this.#lost += gone.length;
      await this.#run(doneScript, [this.#group, '0', ...gone]);
    }
    return last;
  }

  #entryOf(entry: string, payload: string, place: string, time: string): QueueEntry {
    const space = place.indexOf(' ');
    const position = { offset: Number(place.slice(0, space)), epoch: place.slice(space + 1) };
    const { message } = decodePayload(payload, position);
    const key = `${this.channel}\n${place}`;
    return {
      key,
      channel: this.channel,
      entry,
      at: Number(time) || 0,
      chars: payload.length,
      message: message?.type === 'item' ? message : undefined,
    };
  }

  #run(script: Parameters<RedisCommands['run']>[0], args: readonly (string | number)[]): Promise<unknown> {
    return this.#commands.run(script, [this.#keys.queue], args);
  }
}
