/**
 * Event streams in a world without sockets, that are cut off at any moment and come back by their last id, while items
 * are published and the history answers late: what they get, all connections together.
 */
import { parseItem } from '@holdfast/grip';
import fc from 'fast-check';
import t from 'tap';
import type { Overrides } from '../../dist/app/compose/compose.js';
import { ResumeTokens } from '../../dist/history/tokens.js';
import type { AnswerSink, Origin, OriginCall, OriginHandler, OriginRequest } from '../../dist/origin/port.js';
import { configOf, type MadeNode, makeNode } from '../kit/app.js';
import { ManualClock } from '../kit/manual-clock.js';
import { HeldShare } from './hold-fixture.js';
import { MemoryResponse, memoryRequest } from './memory-response.js';

type Step = 'publish' | 'cut' | 'come' | 'body' | 'turn' | 'history';

/** The client has its first id then. */
const BEGIN: readonly Step[] = ['come', 'body', 'turn'];

const config = configOf({
  routes: ['*,history 127.0.0.1:1'],
  settings: { client_queue_size: 1_000_000, resume_key: 'key' },
});

/** A node of the product's own composition with one channel, its origin, and one client that comes and goes. */
class World implements Origin {
  readonly received: number[] = [];
  published = 0;
  #id = '';
  readonly #tokens = new ResumeTokens(Buffer.from('key'));
  readonly #made: MadeNode;
  #late: (() => void)[] = [];
  #reads = 0;
  #response: MemoryResponse | undefined;
  /** Takes the head of the answer that the client waits for. */
  #asking: OriginHandler | undefined;
  #sink: AnswerSink | undefined;
  /** Items that were published before the client ever was there are not its. */
  #since: number | undefined;

  private constructor() {
    const overrides: Overrides = {
      clock: new ManualClock(),
      random: () => 0,
      origins: { origin: () => this, close: () => Promise.resolve() },
      backplane: (share) => {
        const held = new HeldShare(share);
        const { reading } = held;
        held.reading = async (...asked) => {
          const wait = () => new Promise<void>((resolve) => this.#late.push(resolve));
          // Read late, the history has items that have come by themselves meanwhile, as where others keep it.
          const isLate = this.#reads++ % 2 === 0;
          if (isLate) await wait();
          const page = await reading(...asked);
          if (!isLate) await wait();
          return page;
        };
        return held;
      },
    };
    this.#made = makeNode({ overrides }, config);
  }

  static async make(): Promise<World> {
    const world = new World();
    const { backplane, delivery } = world.#made.parts;
    await backplane.start(delivery);
    return world;
  }

  /** Ends it: what is thrown in the product is in its log. */
  async end(): Promise<void> {
    const [fault] = this.#made.log.at('error');
    await this.#made.node.stop();
    if (fault !== undefined) throw new Error(fault.message);
  }

  /** The origin has the body in its hands: it is whole at the step of that name. */
  dispatch(_request: OriginRequest, handler: OriginHandler): OriginCall {
    this.#asking = handler;
    return { resume() {}, abort() {} };
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
    void this.#made.parts.backplane.publish([{ type: 'item', item, id: `${n}` }]);
  }

  #come(): void {
    if (this.#response !== undefined) return;
    this.#response = new MemoryResponse();
    this.#asking = undefined as OriginHandler | undefined;
    const headers = this.#id === '' ? [] : ['Last-Event-ID', this.#id];
    this.#made.parts.handler.onRequest(memoryRequest(headers), this.#response);
    const hold = ['Grip-Hold', 'stream', 'Grip-Channel', 'c', 'Content-Type', 'text/event-stream'];
    this.#sink = this.#asking?.onHead({ status: 200, reason: '', headers: hold }, undefined);
  }

  #body(): void {
    this.#sink?.onEnd();
    this.#sink = undefined;
  }

  /** What was written has arrived, and then the connection breaks. */
  #cut(): void {
    this.#read();
    this.#response?.gone();
    this.#response = undefined;
    this.#sink = undefined;
  }

  #read(): void {
    if (this.#response === undefined) return;
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

// Each world is a whole node: some milliseconds, three hundred times.
t.setTimeout(120_000);

t.test('property: whatever happens when, every item reaches the client once and in order', async (t) => {
  const steps = fc.array(
    fc.constantFrom<Step[]>('publish', 'publish', 'publish', 'cut', 'come', 'body', 'body', 'turn', 'history'),
    { maxLength: 60, size: 'max' },
  );
  let items = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const world = await World.make();
      for (const step of [...BEGIN, ...all]) await world.do(step);
      await world.settle();
      await world.end();
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
