/** Pages of the connections and channels of one process. A page looks at all of them, a slice in each turn of the event loop. */
import {
  byCodeUnits,
  type ChannelRow,
  type ConnectionFilter,
  type ConnectionView,
  type Page,
  type PageOrder,
} from '@holdfast/control-api';
import { zeroCounts } from '@holdfast/grip';
import type { ChannelRegistry } from '../../channels/registry.js';
import type { Subscriber } from '../../channels/subscriber.js';

/**
 * Connections or channels that are looked at before others have their turn: some tenths of a millisecond.
 *
 * @limit {} connections or channels that a page of a list looks at in one turn of the event loop
 * @over the others in later turns
 */
export const SLICE = 2_000;

/**
 * Bytes of a page of one process, roughly: it passes through Redis, and names of channels may be long.
 *
 * @limit {MiB} of a page of a list, roughly, from one process
 * @over the page ends, and another follows
 */
export const PAGE_BYTES = 1_048_576;

/** What a row takes beside the names in it. */
const ROW_BYTES = 300;

/** A connection, with what its origin says of it beside its channels: whose it is, and when it expires. */
export function viewOfConnection(
  registry: Pick<ChannelRegistry, 'users' | 'expiryOf'>,
  subscriber: Subscriber,
): ConnectionView {
  const user = registry.users.userOf(subscriber);
  const expires = registry.expiryOf(subscriber);
  return { ...subscriber.view(), ...(user !== undefined && { user }), ...(expires !== undefined && { expires }) };
}

/** Lists what a registry has. */
export class Pages {
  readonly #registry: ChannelRegistry;
  /** Resolves in a later turn of the event loop. */
  readonly #turn: () => Promise<void>;
  /** Of the page that was asked for last. */
  #made: Promise<unknown> = Promise.resolve();

  constructor(registry: ChannelRegistry, turn: () => Promise<void> = nextTurn) {
    this.#registry = registry;
    this.#turn = turn;
  }

  /** In the order of their ids. What comes or goes meanwhile may be left out. */
  connections(list: ConnectionFilter & PageOrder): Promise<Page<ConnectionView>> {
    return this.#afterOthers(() => this.#connections(list));
  }

  /** Those with subscribers, in the order of their names. */
  channels(list: { readonly prefix: string } & PageOrder): Promise<Page<ChannelRow>> {
    return this.#afterOthers(() => this.#channels(list));
  }

  /** One page at a time: the slices of many in one turn would be as one large slice. */
  #afterOthers<Row>(make: () => Promise<Page<Row>>): Promise<Page<Row>> {
    const page = this.#made.then(make);
    this.#made = page.catch(() => {});
    return page;
  }

  async #connections({
    user,
    channel,
    route,
    after,
    limit,
  }: ConnectionFilter & PageOrder): Promise<Page<ConnectionView>> {
    const { users } = this.#registry;
    const isWanted = (subscriber: Subscriber) =>
      (user === undefined || users.userOf(subscriber) === user) &&
      (channel === undefined || this.#registry.of(channel).has(subscriber)) &&
      (route === undefined || subscriber.routeKey === route);
    const first = new FirstKeys<Subscriber>(after, limit);
    for await (const slice of this.#slices(this.#candidates(user, channel))) {
      for (const subscriber of slice) if (isWanted(subscriber)) first.offer(subscriber.id, subscriber);
    }
    const { entries, more } = first.take();
    const length = ({ id, channels }: ConnectionView) => channels.reduce((sum, { length }) => sum + length, id.length);
    return pageOf(this.#views(entries), more, length);
  }

  async #channels({ prefix, after, limit }: { readonly prefix: string } & PageOrder): Promise<Page<ChannelRow>> {
    const first = new FirstKeys<ReadonlySet<Subscriber>>(after, limit);
    for await (const slice of this.#slices(this.#registry.occupied())) {
      for (const [name, subscribers] of slice) if (name.startsWith(prefix)) first.offer(name, subscribers);
    }
    const { entries, more } = first.take();
    const rows = entries.map(([channel]) => ({ channel, subscribers: zeroCounts() }));
    for await (const slice of this.#slices(membersOf(entries))) {
      for (const [at, { kind }] of slice) (rows[at] as (typeof rows)[0]).subscribers[kind]++;
    }
    return pageOf(rows, more, ({ channel }) => channel.length);
  }

  /** The fewest that are certain to have all that are wanted. */
  #candidates(user: string | undefined, channel: string | undefined): Iterable<Subscriber> {
    if (user !== undefined) return this.#registry.users.of(user);
    return channel === undefined ? this.#registry.all() : this.#registry.of(channel);
  }

  *#views(entries: Iterable<readonly [string, Subscriber]>): Generator<ConnectionView> {
    for (const [, subscriber] of entries) yield viewOfConnection(this.#registry, subscriber);
  }

  /** All of them, in parts of which each has a turn of the event loop of its own. */
  async *#slices<One>(all: Iterable<One>): AsyncGenerator<readonly One[]> {
    let slice: One[] = [];
    for (const one of all) {
      if (slice.length === SLICE) {
        yield slice;
        slice = [];
        await this.#turn();
      }
      slice.push(one);
    }
    yield slice;
  }
}

/** The entries with the first keys after one, of all that are offered; a key that comes twice counts once. */
class FirstKeys<Value> {
  readonly #after: string | undefined;
  readonly #limit: number;
  #kept: (readonly [key: string, value: Value])[] = [];
  /** Keys from this one on are of no use. */
  #end: string | undefined;

  constructor(after: string | undefined, limit: number) {
    this.#after = after;
    this.#limit = limit;
  }

  offer(key: string, value: Value): void {
    if (this.#after !== undefined && key <= this.#after) return;
    if (this.#end !== undefined && key >= this.#end) return;
    this.#kept.push([key, value]);
    if (this.#kept.length > 2 * this.#limit + 2) this.#cut();
  }

  /** Those of the page, in order, and whether there are more. */
  take(): { readonly entries: readonly (readonly [string, Value])[]; readonly more: boolean } {
    this.#cut();
    return { entries: this.#kept.slice(0, this.#limit), more: this.#kept.length > this.#limit };
  }

  /** One more than the limit stays, which shows that there are more. */
  #cut(): void {
    const kept = [...new Map(this.#kept)].sort(([one], [other]) => byCodeUnits(one, other));
    this.#kept = kept.slice(0, this.#limit + 1);
    if (kept.length > this.#limit) this.#end = this.#kept[this.#limit]?.[0];
  }
}

/** The subscribers of several channels, each with the place of its channel. */
function* membersOf(
  channels: readonly (readonly [string, ReadonlySet<Subscriber>])[],
): Generator<readonly [at: number, subscriber: Subscriber]> {
  for (const [at, [, subscribers]] of channels.entries()) for (const subscriber of subscribers) yield [at, subscriber];
}

function pageOf<Row>(rows: Iterable<Row>, more: boolean, charactersOf: (row: Row) => number): Page<Row> {
  const taken: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += ROW_BYTES + 2 * charactersOf(row);
    if (bytes > PAGE_BYTES && taken.length > 0) return { rows: taken, more: true };
    taken.push(row);
  }
  return { rows: taken, more };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
