/** Which subscribers of this node are on which pattern, and who gets an item that comes by a prefix. */
import type { PrefixInterest } from '@holdfast/control-api';
import type { ChannelPattern } from '../routes/channel-pattern.js';
import { PatternTrie } from './pattern-trie.js';
import type { Subscriber } from './subscriber.js';

interface Entry {
  readonly pattern: ChannelPattern;
  readonly subscribers: Set<Subscriber>;
}

/** What several patterns have in common: what the node has interest in. */
interface Prefix {
  /** Patterns that begin with it. */
  readonly entries: Set<Entry>;
  pending: Promise<void> | undefined;
  /** The backplane refused: the next subscriber has it asked again. */
  refused: boolean;
}

const NOBODY: ReadonlySet<Subscriber> = new Set();

/** Pattern → subscribers, of one node. Costs nothing where there are none. */
export class PatternRegistry {
  readonly #interest: PrefixInterest;
  /** Patterns of one text may leave out different channels. */
  readonly #byText = new Map<string, Set<Entry>>();
  readonly #trie: PatternTrie<ReadonlySet<Entry>>;
  readonly #entries = new Map<string, Entry>();
  readonly #prefixes = new Map<string, Prefix>();

  /** `separator` is the one with which all patterns are parsed. */
  constructor(interest: PrefixInterest, separator = '') {
    this.#interest = interest;
    this.#trie = new PatternTrie(separator);
  }

  /** How many patterns somebody is on. */
  get size(): number {
    return this.#entries.size;
  }

  /** As `ChannelRegistry.add`, for patterns. */
  add(subscriber: Subscriber, patterns: readonly ChannelPattern[]): Promise<void> | undefined {
    let waits: Promise<void>[] | undefined;
    for (const pattern of patterns) {
      const entry = this.#entries.get(pattern.key) ?? this.#open(pattern);
      entry.subscribers.add(subscriber);
      const prefix = this.#prefixes.get(pattern.prefix) as Prefix;
      if (prefix.refused) this.#declare(pattern.prefix, prefix);
      if (prefix.pending === undefined) continue;
      waits ??= [];
      waits.push(prefix.pending);
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
  }

  /** Takes a subscriber off patterns; unknown ones are ignored. */
  remove(subscriber: Subscriber, patterns: readonly ChannelPattern[]): void {
    for (const { key } of patterns) {
      const entry = this.#entries.get(key);
      if (entry?.subscribers.delete(subscriber) && entry.subscribers.size === 0) this.#close(entry);
    }
  }

  /**
   * Who gets an item of a channel that has come by a prefix: those on a matching pattern with this prefix. Each gets it once, whatever
   * else it is on: by its channel, which `exact` are on, rather than by a pattern; and of several patterns by the one with the shortest
   * prefix. What is not live yet does not count for that. A live view where it can be.
   */
  receivers(channel: string, by: string, exact: ReadonlySet<Subscriber>): ReadonlySet<Subscriber> {
    const found: Entry[] = [];
    const before: Entry[] = [];
    this.#trie.visit(channel, (entries) => {
      for (const entry of entries) {
        const { prefix, without } = entry.pattern;
        if (without !== '' && channel.includes(without)) continue;
        if (prefix === by) found.push(entry);
        else if (prefix.length < by.length && this.#isLive(prefix)) before.push(entry);
      }
    });
    const [first] = found;
    if (first === undefined) return NOBODY;
    if (found.length === 1 && before.length === 0 && exact.size === 0) return first.subscribers;
    return otherwiseUnreached(joined(found), exact, before);
  }

  /** All that are on a pattern that matches, each once. */
  matching(channel: string): ReadonlySet<Subscriber> {
    if (this.#entries.size === 0) return NOBODY;
    const found: Entry[] = [];
    this.#trie.visit(channel, (entries) => {
      for (const entry of entries) {
        const { without } = entry.pattern;
        if (without === '' || !channel.includes(without)) found.push(entry);
      }
    });
    return joined(found);
  }

  /** All that are on a pattern with this prefix, each once. */
  *of(prefix: string): Generator<Subscriber> {
    const seen = new Set<Subscriber>();
    for (const { subscribers } of this.#prefixes.get(prefix)?.entries ?? []) {
      for (const subscriber of subscribers) {
        if (seen.has(subscriber)) continue;
        seen.add(subscriber);
        yield subscriber;
      }
    }
  }

  #isLive(name: string): boolean {
    const prefix = this.#prefixes.get(name);
    return prefix !== undefined && prefix.pending === undefined && !prefix.refused;
  }

  #open(pattern: ChannelPattern): Entry {
    const entry: Entry = { pattern, subscribers: new Set() };
    this.#entries.set(pattern.key, entry);
    const same = this.#byText.get(pattern.text);
    if (same !== undefined) same.add(entry);
    else {
      const entries = new Set([entry]);
      this.#byText.set(pattern.text, entries);
      this.#trie.set(pattern, entries);
    }
    const known = this.#prefixes.get(pattern.prefix);
    if (known !== undefined) known.entries.add(entry);
    else {
      const prefix: Prefix = { entries: new Set([entry]), pending: undefined, refused: false };
      this.#prefixes.set(pattern.prefix, prefix);
      this.#declare(pattern.prefix, prefix);
    }
    return entry;
  }

  #declare(name: string, prefix: Prefix): void {
    prefix.refused = false;
    prefix.pending = this.#interest.subscribePrefix(name);
    const answered = (refused: boolean) => {
      prefix.pending = undefined;
      prefix.refused = refused;
    };
    prefix.pending?.then(
      () => answered(false),
      () => answered(true),
    );
  }

  #close(entry: Entry): void {
    const { pattern } = entry;
    this.#entries.delete(pattern.key);
    const same = this.#byText.get(pattern.text);
    same?.delete(entry);
    if (same?.size === 0) {
      this.#byText.delete(pattern.text);
      this.#trie.delete(pattern);
    }
    const prefix = this.#prefixes.get(pattern.prefix);
    prefix?.entries.delete(entry);
    if (prefix === undefined || prefix.entries.size > 0) return;
    this.#prefixes.delete(pattern.prefix);
    this.#interest.unsubscribePrefix(pattern.prefix);
  }
}

function joined(entries: readonly Entry[]): Set<Subscriber> {
  const all = new Set<Subscriber>();
  for (const { subscribers } of entries) for (const subscriber of subscribers) all.add(subscriber);
  return all;
}

/** The receivers that get an item in no other way: by its channel, or by a pattern that comes before. */
function otherwiseUnreached(
  receivers: Set<Subscriber>,
  exact: ReadonlySet<Subscriber>,
  before: readonly Entry[],
): ReadonlySet<Subscriber> {
  for (const receiver of receivers) {
    if (exact.has(receiver) || before.some(({ subscribers }) => subscribers.has(receiver))) receivers.delete(receiver);
  }
  return receivers;
}
