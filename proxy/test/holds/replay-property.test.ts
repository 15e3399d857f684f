/**
 * Event streams in a world without sockets, that are cut off at any moment and come back by their last id, while items
 * are published and the history answers late: what they get, all connections together.
 */
import { type History, LocalBackplane, LocalHistory, silentLog, uncontained } from '@holdfast/control-api';
import { parseItem } from '@holdfast/grip';
import fc from 'fast-check';
import t from 'tap';
import { OverChannelsReport } from '../../dist/channels/over-channels.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import { SubscriptionList } from '../../dist/channels/subscription-list.js';
import { ItemDelivery } from '../../dist/delivery/item-delivery.js';
import { HistoryReader } from '../../dist/history/reader.js';
import { ResumeTokens } from '../../dist/history/tokens.js';
import type { HoldParts, HoldStart } from '../../dist/holds/hold.js';
import { StreamHold } from '../../dist/holds/stream-hold.js';
import { ManualClock } from '../kit/manual-clock.js';
import { MemoryResponse } from './memory-response.js';

type Step = 'publish' | 'cut' | 'come' | 'body' | 'turn' | 'history';

/** The client has its first id then. */
const BEGIN: readonly Step[] = ['come', 'body', 'turn'];

/** A node with one channel, and one client that comes and goes. */
class World {
  readonly clock = new ManualClock();
  readonly received: number[] = [];
  published = 0;
  #id = '';
  readonly #tokens = new ResumeTokens(Buffer.from('key'));
  readonly #backplane: LocalBackplane;
  readonly #delivery: ItemDelivery;
  readonly #registry: ChannelRegistry;
  readonly #parts: HoldParts;
  #late: (() => void)[] = [];
  #reads = 0;
  #hold: StreamHold | undefined;
  #response = new MemoryResponse();
  /** The head is out. */
  #isOpen = false;
  #isWhole = false;
  /** Items that were published before the client ever was there are not its. */
  #since: number | undefined;

  constructor() {
    const { clock } = this;
    const log = new LocalHistory({ clock, epoch: 'e', historySize: 1_000, historyTtl: 1_000_000 });
    this.#backplane = new LocalBackplane(silentLog, undefined, log);
    const events = { itemDelivered() {}, itemHeld() {}, itemReleased() {}, itemsAbandoned() {}, itemsLost() {} };
    this.#delivery = new ItemDelivery(() => this.#registry, { clock, messageWait: 5_000, events, log: silentLog });
    void this.#backplane.start(this.#delivery);
    const interest = {
      subscribe: (channel: string) => this.#backplane.subscribe(channel),
      unsubscribe: (channel: string) => {
        this.#delivery.forget(channel);
        this.#backplane.unsubscribe(channel);
      },
    };
    this.#registry = new ChannelRegistry(interest, clock, 0);
    const late: History = {
      read: async (...args) => {
        const wait = () => new Promise<void>((resolve) => this.#late.push(resolve));
        // Read late, the history has items that have come by themselves meanwhile, as where others keep it.
        const isLate = this.#reads++ % 2 === 0;
        if (isLate) await wait();
        const page = await this.#backplane.read(...args);
        if (!isLate) await wait();
        return page;
      },
      head: (channel) => this.#backplane.head(channel),
    };
    this.#parts = {
      subscriber: {
        registry: this.#registry,
        clock,
        random: () => 0,
        events: { subscriberOpened() {}, subscriberEnded() {}, itemSent() {}, itemDropped() {}, limited() {} },
        log: silentLog,
        faults: uncontained,
        clientQueueSize: 1_000_000,
        slowClientPolicy: 'close',
        gapPolicy: 'close',
        overChannels: new OverChannelsReport(clock, silentLog),
      },
      sequencer: this.#delivery.sequencer,
      replay: {
        reader: new HistoryReader({ history: late, clock, log: silentLog }),
        tokens: this.#tokens,
        events: { itemReplayed() {}, replayEnded() {} },
        isOn: () => true,
        latest: (channel) => this.#delivery.positions.latest(channel),
      },
      debug: false,
    } as Partial<HoldParts> as HoldParts;
  }

  async do(step: Step): Promise<void> {
    if (step === 'publish') this.#publish();
    else if (step === 'cut') this.#cut();
    else if (step === 'come') this.#come();
    else if (step === 'body') this.#body();
    else if (step === 'history') for (const answer of this.#late.splice(0)) answer();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The client is there, and has been told all that there is. */
  async settle(): Promise<void> {
    for (const step of ['come', 'body', 'turn', 'history', 'turn', 'turn', 'history', 'turn', 'turn'] as const) {
      await this.do(step);
    }
    this.#read();
  }

  /** What the client should have got. */
  get expected(): number[] {
    const since = this.#since ?? this.published;
    return Array.from({ length: this.published - since }, (_, i) => since + i + 1);
  }

  #publish(): void {
    const n = ++this.published;
    const item = parseItem({ channel: 'c', formats: { 'http-stream': { content: `data: ${n}\n\n` } } });
    void this.#backplane.publish([{ type: 'item', item, id: `${n}` }]);
  }

  #come(): void {
    if (this.#hold !== undefined) return;
    const list = new SubscriptionList();
    list.set('c', { name: 'c', filters: [] });
    this.#response = new MemoryResponse();
    const start = {
      id: 'x',
      response: this.#response,
      instruct: {
        hold: { mode: 'stream' },
        response: { code: 200, reason: '', headers: ['Content-Type', 'text/event-stream'] },
        links: {},
      },
      list,
      scope: { route: {} },
      relist: () => list,
      lastEventId: this.#id === '' ? undefined : this.#id,
    } as unknown as HoldStart;
    const hold = new StreamHold(start, { holdWritable() {}, holdEnded() {}, holdRetry() {} }, this.#parts);
    this.#hold = hold;
    this.#isWhole = false;
    this.#isOpen = false;
    const open = () => {
      if (hold.isOver) return;
      hold.open();
      this.#isOpen = true;
      if (this.#isWhole) hold.opened();
    };
    if (!hold.waits(open)) open();
  }

  #body(): void {
    if (this.#isWhole) return;
    this.#isWhole = true;
    if (this.#isOpen) this.#hold?.opened();
  }

  /** What was written has arrived, and then the connection breaks. */
  #cut(): void {
    this.#read();
    this.#hold?.onGone();
    this.#hold = undefined;
  }

  #read(): void {
    const { text } = this.#response;
    this.#response.text = '';
    // A client that has no id yet has no claim to what it gets no more: it begins with its first one.
    for (const [, name, value] of text.matchAll(/^(data|id): (.*)$/gm)) {
      if (name === 'data') this.received.push(Number(value));
      else {
        if (this.#id === '') {
          this.#since = this.published - this.#after(value as string);
          this.received.length = 0;
        }
        this.#id = value as string;
      }
    }
  }

  /** How many items were accepted after where a token stands. */
  #after(token: string): number {
    const offset = this.#tokens.read(token)?.get(this.#tokens.tag('c'))?.offset ?? 0;
    return this.published - offset;
  }
}

t.test('property: whatever happens when, every item reaches the client once and in order', async (t) => {
  const steps = fc.array(
    fc.constantFrom<Step[]>('publish', 'publish', 'publish', 'cut', 'come', 'body', 'body', 'turn', 'history'),
    { maxLength: 60, size: 'max' },
  );
  let items = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const world = new World();
      for (const step of [...BEGIN, ...all]) await world.do(step);
      await world.settle();
      const { received, expected } = world;
      items += received.length;
      if (JSON.stringify(received) !== JSON.stringify(expected)) {
        throw new Error(`got ${received.join()} instead of ${expected.join()}`);
      }
    }),
    { numRuns: 300 },
  );
  t.ok(items > 100, `${items} items`);
});
