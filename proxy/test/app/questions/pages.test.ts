/** Pages of the connections and channels of one process: whole and in order, with bounded work in a turn. */
import t from 'tap';
import { PAGE_BYTES, Pages, SLICE } from '../../../dist/app/questions/pages.js';
import { ChannelRegistry } from '../../../dist/channels/registry.js';
import { RecordingSubscriber } from '../../channels/recording-subscriber.js';
import { ManualClock } from '../../kit/manual-clock.js';

/** A subscriber with this id. */
class Named extends RecordingSubscriber {
  override readonly id: string;
  shown = 0;

  constructor(
    id: string,
    routeKey = '',
    readonly names: readonly string[] = [],
  ) {
    super('stream');
    this.id = id;
    this.routeKey = routeKey;
  }

  override view() {
    this.shown++;
    return { ...super.view(), channels: this.names };
  }
}

function fixture() {
  const registry = new ChannelRegistry({ subscribe: () => undefined, unsubscribe() {} }, new ManualClock(), 0);
  let turns = 0;
  const pages = new Pages(registry, async () => {
    turns++;
  });
  return { registry, pages, turns: () => turns };
}

/** All rows of a list, and how many pages they took. */
async function all<Row>(
  page: (after: string | undefined) => Promise<{ rows: readonly Row[]; more: boolean }>,
  keyOf: (row: Row) => string,
): Promise<{ keys: string[]; pages: number }> {
  const keys: string[] = [];
  for (let pages = 1; ; pages++) {
    const { rows, more } = await page(keys.at(-1));
    keys.push(...rows.map(keyOf));
    if (!more) return { keys, pages };
  }
}

t.test('connections come in the order of their ids, by user, channel and route', async (t) => {
  const { registry, pages } = fixture();
  const ids = ['d', 'a', 'c', 'b', 'e'];
  for (const id of ids) {
    const subscriber = new Named(id, id < 'c' ? 'early' : 'late');
    registry.enter(subscriber, new Map([['user', id === 'e' ? 'eve' : 'ann']]));
    registry.add(subscriber, id === 'a' || id === 'e' ? ['x', 'y'] : ['x']);
  }
  const listed = async (filter: object) => {
    const { rows } = await pages.connections({ limit: 10, ...filter });
    return rows.map(({ id }) => id).join('');
  };
  t.equal(await listed({}), 'abcde');
  t.equal(await listed({ user: 'ann' }), 'abcd');
  t.equal(await listed({ channel: 'y' }), 'ae');
  t.equal(await listed({ user: 'ann', channel: 'y' }), 'a');
  t.equal(await listed({ route: 'late' }), 'cde');
  t.equal(await listed({ route: 'late', user: 'eve', channel: 'x' }), 'e');
  t.equal(await listed({ user: 'nobody' }), '');
  t.equal(await listed({ after: 'b' }), 'cde');
  t.match((await pages.connections({ limit: 1 })).rows, [{ id: 'a', user: 'ann' }]);
});

/** As many as are wanted, in no order. */
function enterMany(registry: ChannelRegistry, count: number): readonly Named[] {
  const subscribers = Array.from({ length: count }, (_, i) => new Named(`id-${(i * 7_919) % count}`));
  for (const subscriber of subscribers) registry.enter(subscriber);
  return subscribers;
}

t.test('100,000 connections: a page shows no more than its rows, and looks at a slice in each turn', async (t) => {
  const { registry, pages, turns } = fixture();
  const count = 100_000;
  const subscribers = enterMany(registry, count);
  const { rows, more } = await pages.connections({ limit: 1_000 });
  t.equal(rows.length, 1_000);
  t.ok(more);
  t.equal(
    subscribers.reduce((sum, { shown }) => sum + shown, 0),
    1_000,
  );
  t.equal(turns(), count / SLICE - 1);
});

t.test('by its pages each connection is shown once', async (t) => {
  const { registry, pages } = fixture();
  const count = 10_000;
  enterMany(registry, count);
  const { keys, pages: steps } = await all(
    (after) => pages.connections({ limit: 999, ...(after !== undefined && { after }) }),
    ({ id }) => id,
  );
  t.equal(keys.length, count);
  t.equal(new Set(keys).size, count);
  t.equal(steps, 11);
});

t.test('a page ends at its bytes, but has a row', async (t) => {
  const { registry, pages } = fixture();
  for (const id of ['a', 'b', 'c']) registry.enter(new Named(id, '', ['x'.repeat(PAGE_BYTES)]));
  t.match(await pages.connections({ limit: 10 }), { rows: [{ id: 'a' }], more: true });
  const { keys, pages: steps } = await all(
    (after) => pages.connections({ limit: 10, ...(after !== undefined && { after }) }),
    ({ id }) => id,
  );
  t.strictSame(keys, ['a', 'b', 'c']);
  t.equal(steps, 3);
});

t.test('one that ends and comes again while a page is made is in it once', async (t) => {
  const registry = new ChannelRegistry({ subscribe: () => undefined, unsubscribe() {} }, new ManualClock(), 0);
  const first = new Named('a');
  const pages = new Pages(registry, async () => {
    registry.leave(first, true);
    registry.enter(first);
  });
  registry.enter(first);
  for (let i = 0; i < SLICE; i++) registry.enter(new Named(`b-${i}`));
  const { rows } = await pages.connections({ limit: 10 });
  t.equal(rows.filter(({ id }) => id === 'a').length, 1);
  t.equal(rows.length, 10);
});

t.test('channels with subscribers come by their names, with how many there are of each kind', async (t) => {
  const { registry, pages } = fixture();
  for (const [kind, channels] of [
    ['stream', ['b', 'a', 'other']],
    ['ws', ['b']],
    ['response', ['b', 'gone']],
  ] as const) {
    const subscriber = new RecordingSubscriber(kind);
    registry.add(subscriber, channels);
    registry.remove(subscriber, ['gone']);
  }
  const row = (channel: string, response: number, stream: number, ws: number) => ({
    channel,
    subscribers: { response, stream, ws, callback: 0, xmpp: 0 },
  });
  t.strictSame(await pages.channels({ prefix: '', limit: 2 }), {
    rows: [row('a', 0, 1, 0), row('b', 1, 1, 1)],
    more: true,
  });
  t.strictSame(await pages.channels({ prefix: '', limit: 2, after: 'b' }), {
    rows: [row('other', 0, 1, 0)],
    more: false,
  });
  t.strictSame(await pages.channels({ prefix: 'o', limit: 2 }), { rows: [row('other', 0, 1, 0)], more: false });
  t.strictSame(await pages.channels({ prefix: 'x', limit: 2 }), { rows: [], more: false });
});

t.test('many subscribers of a channel are counted in slices', async (t) => {
  const { registry, pages, turns } = fixture();
  for (let i = 0; i < SLICE + 1; i++) registry.add(new RecordingSubscriber('ws'), ['crowd']);
  t.match(await pages.channels({ prefix: '', limit: 1 }), { rows: [{ subscribers: { ws: SLICE + 1 } }] });
  t.equal(turns(), 1);
});

t.test('pages are made one after the other, also after one that failed', async (t) => {
  const registry = new ChannelRegistry({ subscribe: () => undefined, unsubscribe() {} }, new ManualClock(), 0);
  let [underWay, most] = [0, 0];
  let fails = true;
  const pages = new Pages(registry, async () => {
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    if (fails) {
      fails = false;
      throw new Error('a fault');
    }
  });
  enterMany(registry, 3 * SLICE);
  const made = await Promise.allSettled([1, 2, 3].map((limit) => pages.connections({ limit })));
  t.equal(most, 1);
  t.strictSame(
    made.map((page) => (page.status === 'fulfilled' ? page.value.rows.length : 'failed')),
    ['failed', 2, 3],
  );
});
