/** {@link CallbackStore} of a node that is alone: callbacks and what waits for them are in its memory, and gone with it. */
import { randomBytes } from 'node:crypto';
import { itemBytes } from '@holdfast/grip';
import { type Backplane, type ItemMessage, isForCallbacks } from '../backplane/backplane.js';
import { callbacksFull } from '../errors.js';
import type { Callback, CallbackRecord, CallbackStatus } from './callback.js';
import { renewedStatus } from './callback.js';
import type { Backlog, CallbackListener, CallbackPage, CallbackStore, CallbackWork, QueuedItem } from './store.js';

/**
 * Callbacks at a time. Without Redis each lies in the memory of the node.
 *
 * @limit {} callbacks of a node without Redis
 * @over one more is refused, 503
 */
export const LOCAL_CALLBACKS_MAX = 10_000;

/**
 * Bytes of items that wait for all callbacks together; an item that waits for several counts for each.
 *
 * @limit {MiB} of items that wait for callbacks on a node without Redis
 * @over the oldest of the callback that gets another one go, counted
 */
export const LOCAL_BACKLOG_BYTES = 128 * 1024 * 1024;

interface Waiting {
  readonly message: ItemMessage;
  /** Names it among all that ever waited for a callback of this node. */
  readonly number: number;
}

interface Kept {
  record: CallbackRecord;
  queue: Waiting[];
  /** How many of the queue are done. */
  passed: number;
  /** Items that went because too many waited, since the last `next`. */
  lost: number;
}

/** What a {@link LocalCallbacks} is made of. */
export interface LocalCallbacksOptions {
  /** Started by the store. */
  readonly share: Backplane;
  /** Items that may wait for one callback; at least 1. */
  readonly backlogMax: number;
}

/** Keeps all of them itself. */
export class LocalCallbacks implements CallbackStore, CallbackWork {
  readonly #options: LocalCallbacksOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #channels = new Map<string, Set<Kept>>();
  /** No item of another start of this node has the same key. */
  readonly #start = randomBytes(9).toString('base64url');
  #listener: CallbackListener | undefined;
  #versions = 0;
  #numbers = 0;
  #bytes = 0;

  constructor(options: LocalCallbacksOptions) {
    this.#options = options;
  }

  start(listener: CallbackListener): Promise<void> {
    this.#listener = listener;
    return this.#options.share.start({
      onMessage: (message) => {
        if (message.type === 'item') this.#take(message);
      },
      onGap() {},
    });
  }

  async put(callback: Callback): Promise<boolean> {
    const known = this.#kept.get(callback.id);
    if (known === undefined && this.#kept.size >= LOCAL_CALLBACKS_MAX) throw callbacksFull();
    const record = { callback, status: renewedStatus(known?.record, callback), version: ++this.#versions };
    const kept = known ?? { record, queue: [], passed: 0, lost: 0 };
    if (known !== undefined) this.#leaveChannels(known, callback);
    kept.record = record;
    this.#kept.set(callback.id, kept);
    await Promise.all(callback.channels.map(({ name }) => this.#enterChannel(name, kept)));
    this.#listener?.onKept(record);
    return known === undefined;
  }

  async remove(id: string, version?: number): Promise<CallbackRecord | undefined> {
    const kept = this.#kept.get(id);
    if (kept === undefined || (version !== undefined && kept.record.version !== version)) return undefined;
    this.#kept.delete(id);
    this.#leaveChannels(kept, undefined);
    // A sender may be what ends it: it is not waited for.
    void this.#listener?.onLeft(id);
    return kept.record;
  }

  async read(id: string): Promise<(CallbackRecord & { readonly backlog: Backlog }) | undefined> {
    const kept = this.#kept.get(id);
    return kept && { ...kept.record, backlog: { items: kept.queue.length - kept.passed } };
  }

  async list(after: string | undefined, limit: number): Promise<CallbackPage> {
    const from = after === undefined ? 0 : Number(after);
    // By version, as in Redis: whatever is made anew meanwhile comes again later, and nothing is left out.
    const later = [...this.#kept.values()]
      .map(({ record }) => record)
      .filter(({ version }) => version > from)
      .sort((a, b) => a.version - b.version);
    const records = later.slice(0, limit);
    return { records, next: later.length > limit ? String(records.at(-1)?.version) : undefined };
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    await this.#options.share.close();
    this.#kept.clear();
    this.#channels.clear();
  }

  keeps(id: string): boolean {
    return this.#kept.has(id);
  }

  async next(id: string): Promise<{ readonly item: QueuedItem; readonly lost: number } | undefined> {
    const kept = this.#kept.get(id);
    const oldest = kept?.queue[kept.passed];
    if (kept === undefined || oldest === undefined) return undefined;
    const { lost } = kept;
    kept.lost = 0;
    return { item: { key: this.#keyOf(oldest), message: oldest.message }, lost };
  }

  async done(id: string, { key }: QueuedItem): Promise<void> {
    const kept = this.#kept.get(id);
    const oldest = kept?.queue[kept.passed];
    // It may have gone meanwhile, as one of too many.
    if (kept !== undefined && oldest !== undefined && this.#keyOf(oldest) === key) this.#pass(kept);
  }

  async note(id: string, version: number, status: CallbackStatus): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept?.record.version === version) kept.record = { ...kept.record, status };
  }

  #take(message: ItemMessage): void {
    const { item } = message;
    if (!isForCallbacks(item)) return;
    const { backlogMax } = this.#options;
    for (const kept of this.#channels.get(item.channel) ?? []) {
      kept.queue.push({ message, number: ++this.#numbers });
      this.#bytes += itemBytes(item);
      const waiting = () => kept.queue.length - kept.passed;
      while (waiting() > 1 && (waiting() > backlogMax || this.#bytes > LOCAL_BACKLOG_BYTES)) {
        this.#pass(kept);
        kept.lost++;
      }
      this.#listener?.onItems(kept.record.callback.id);
    }
  }

  #keyOf({ number }: Waiting): string {
    return `${this.#start} ${number}`;
  }

  #pass(kept: Kept): void {
    const oldest = kept.queue[kept.passed];
    if (oldest === undefined) return;
    this.#bytes -= itemBytes(oldest.message.item);
    kept.passed++;
    // Seldom, so that taking costs the same however many wait.
    if (kept.passed < 64 || kept.passed * 2 < kept.queue.length) return;
    kept.queue = kept.queue.slice(kept.passed);
    kept.passed = 0;
  }

  async #enterChannel(name: string, kept: Kept): Promise<void> {
    const known = this.#channels.get(name);
    if (known !== undefined) known.add(kept);
    else {
      this.#channels.set(name, new Set([kept]));
      await this.#options.share.subscribe(name);
    }
  }

  /** What waits of channels that the callback is on no longer goes with them. */
  #leaveChannels(kept: Kept, next: Callback | undefined): void {
    const stays = new Set(next?.channels.map(({ name }) => name));
    const left = kept.record.callback.channels.filter(({ name }) => !stays.has(name));
    for (const { name } of left) {
      const others = this.#channels.get(name);
      others?.delete(kept);
      if (others?.size !== 0) continue;
      this.#channels.delete(name);
      this.#options.share.unsubscribe(name);
    }
    if (left.length === 0) return;
    const names = new Set(left.map(({ name }) => name));
    const isGone = ({ message }: Waiting) => names.has(message.item.channel);
    const waiting = kept.queue.slice(kept.passed);
    for (const one of waiting) if (isGone(one)) this.#bytes -= itemBytes(one.message.item);
    kept.queue = waiting.filter((one) => !isGone(one));
    kept.passed = 0;
  }
}
