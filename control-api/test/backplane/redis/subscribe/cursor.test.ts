import fc from 'fast-check';
import t from 'tap';
import { type Arrival, ChannelCursor, type HeldTotal } from '../../../../dist/backplane/redis/subscribe/cursor.js';
import type { Gap } from '../../../../dist/index.js';

/** A message of the model: the nth ever accepted, whatever its epoch. */
interface Model {
  readonly epoch: string;
  readonly offset: number;
  readonly serial: number;
}

/** A channel in a store that trims, flushes and is rewound, and one cursor with a connection that breaks. */
class Simulation {
  epoch = 'e0';
  log: Model[] = [];
  kept: number;
  serial = 0;
  connected = true;
  /** Messages on their way to the cursor; those before a barrier were sent before it. */
  wire: Array<Model | 'barrier'> = [];
  pages: Array<{ readonly generation: number; readonly page: Parameters<ChannelCursor<Model>['page']>[0] }> = [];
  /** Items that the store itself has lost: those that were never seen cannot be reported. */
  readonly excused = new Set<number>();
  readonly delivered: Array<Model | Omit<Gap, 'channel'>> = [];
  readonly cursor: ChannelCursor<Model>;
  #barriers: Array<Parameters<ChannelCursor<Model>['check']>[0]> = [];
  readonly total: HeldTotal;
  readonly #pageSize: number;

  constructor(kept: number, pageSize: number, held: number, room: number) {
    this.kept = kept;
    this.total = { size: 0, limit: room };
    this.#pageSize = pageSize;
    this.cursor = new ChannelCursor<Model>(
      {
        deliver: (message) => this.delivered.push(message),
        gap: (gap) => this.delivered.push(gap),
        filled: () => {},
      },
      { messages: held, size: 1_000_000, total: this.total },
    );
  }

  publish(lost: boolean): void {
    this.serial += 1;
    const message = { epoch: this.epoch, offset: this.log.length + 1, serial: this.serial };
    this.log.push(message);
    if (this.connected && !lost) this.wire.push(message);
  }

  barrier(): void {
    if (!this.connected) return;
    const top = this.log.length;
    this.#barriers.push({ epoch: top === 0 ? '' : this.epoch, top, lastId: String(this.log.at(-1)?.serial ?? '') });
    this.wire.push('barrier');
  }

  receive(): void {
    const next = this.wire.shift();
    if (next === 'barrier') this.cursor.check(this.#barriers.shift() as never);
    else if (next) this.cursor.live(arrivalOf(next));
  }

  breakConnection(): void {
    if (!this.connected) return;
    this.connected = false;
    this.wire = [];
    this.#barriers = [];
    this.cursor.lose();
  }

  connect(): void {
    if (this.connected) return;
    this.connected = true;
    this.barrier();
  }

  ask(): void {
    if (this.cursor.phase !== 'behind' || this.pages.length > 0) return;
    this.cursor.reading();
    const { after, generation } = this.cursor;
    const from = after.epoch === this.epoch ? after.offset : 0;
    const oldest = Math.max(1, this.log.length - this.kept + 1);
    const entries = this.log.filter(({ offset }) => offset >= Math.max(from, oldest));
    const top = this.log.length;
    const page = {
      epoch: top === 0 ? '' : this.epoch,
      top,
      lastId: String(this.log.at(-1)?.serial ?? ''),
      arrivals: entries.slice(0, this.#pageSize).map(arrivalOf),
      more: entries.length >= this.#pageSize,
    };
    this.pages.push({ generation, page });
  }

  answer(): void {
    const answer = this.pages.shift();
    if (answer && answer.generation === this.cursor.generation) this.cursor.page(answer.page);
  }

  /** The store loses its last items; a failover breaks all connections. */
  rewind(count: number): void {
    this.breakConnection();
    for (const { serial } of this.log.splice(Math.max(0, this.log.length - count))) this.excused.add(serial);
  }

  flush(): void {
    for (const { serial } of this.log.splice(0)) this.excused.add(serial);
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`;
  }

  /** Lets everything come to rest. */
  settle(): void {
    this.connect();
    this.barrier();
    for (let i = 0; i < 10_000; i += 1) {
      if (this.total.size !== this.cursor.held || this.total.size > this.total.limit) throw new Error('miscounted');
      if (this.wire.length > 0) this.receive();
      else if (this.pages.length > 0) this.answer();
      else if (this.cursor.phase === 'behind') this.ask();
      else return;
    }
    throw new Error('never comes to rest');
  }
}

function arrivalOf(message: Model): Arrival<Model> {
  const { epoch, offset, serial } = message;
  return { position: { epoch, offset }, id: String(serial), size: 1, message };
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.constant('publish' as const) },
  { weight: 8, arbitrary: fc.constant('receive' as const) },
  { weight: 4, arbitrary: fc.constant('ask' as const) },
  { weight: 4, arbitrary: fc.constant('answer' as const) },
  { weight: 2, arbitrary: fc.constantFrom('lose one', 'barrier', 'break', 'connect') },
  { weight: 1, arbitrary: fc.constantFrom('flush', 'rewind') },
);

function run(simulation: Simulation, steps: readonly string[]): void {
  for (const each of steps) {
    if (each === 'publish') simulation.publish(false);
    else if (each === 'lose one') simulation.publish(true);
    else if (each === 'receive') simulation.receive();
    else if (each === 'ask') simulation.ask();
    else if (each === 'answer') simulation.answer();
    else if (each === 'barrier') simulation.barrier();
    else if (each === 'break') simulation.breakConnection();
    else if (each === 'connect') simulation.connect();
    else if (each === 'flush') simulation.flush();
    else simulation.rewind(2);
  }
}

t.test('redis cursor: nothing comes twice or out of order, and whatever does not come is reported', async (t) => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 6 }),
      (steps, kept, pageSize, held, room) => {
        const simulation = new Simulation(kept, pageSize, held, room);
        simulation.barrier();
        simulation.receive();
        run(simulation, steps);
        simulation.settle();
        simulation.publish(false);
        simulation.settle();
        let last = 0;
        let gap = false;
        const isSilent = (until: number) => {
          for (let serial = last + 1; serial < until; serial += 1)
            if (!gap && !simulation.excused.has(serial)) return true;
          return false;
        };
        for (const each of simulation.delivered) {
          if ('reason' in each) {
            gap = true;
            continue;
          }
          if (each.serial <= last) throw new Error('twice, or out of order');
          if (isSilent(each.serial)) throw new Error(`silence before ${each.serial}`);
          last = each.serial;
          gap = false;
        }
        if (isSilent(simulation.serial + 1)) throw new Error('silence at the end');
      },
    ),
    { numRuns: 20_000 },
  );
  t.pass();
});

t.test('redis cursor: without a fault in the store a history that is long enough fills every hole', async (t) => {
  const harmless = fc.constantFrom('publish', 'receive', 'ask', 'answer', 'lose one', 'barrier', 'break', 'connect');
  fc.assert(
    fc.property(
      fc.array(harmless, { maxLength: 100 }),
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 6 }),
      (steps, pageSize, held, room) => {
        const simulation = new Simulation(1_000, pageSize, held, room);
        simulation.barrier();
        simulation.receive();
        run(simulation, steps);
        simulation.settle();
        const serials = simulation.delivered.map((each) => ('reason' in each ? `gap ${each.reason}` : each.serial));
        if (serials.some((serial, i) => serial !== i + 1) || serials.length !== simulation.serial)
          throw new Error(String(serials));
      },
    ),
    { numRuns: 20_000 },
  );
  t.pass();
});
