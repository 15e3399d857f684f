/** The history of a channel over HTTP: its pages, its limits and its removal. */
import t, { type Test } from 'tap';
import {
  ChannelHistory,
  type ChannelTaps,
  ClusterViews,
  type History,
  historyOf,
  LocalBackplane,
  LocalHistory,
  silentLog,
} from '../../dist/index.js';
import { HISTORY_PAGE_MAX, MAX_HISTORY_PAGES } from '../../dist/views/channel-history.js';
import { startControl } from '../control-fixture.js';
import { rememberedIds, streamMessage } from '../items.js';
import { ManualClock } from '../manual-clock.js';
import { ScriptedCluster } from './scripted-cluster.js';

interface Page {
  readonly channel: string;
  readonly items: readonly { readonly id: string; readonly offset: number; readonly epoch: string }[];
  readonly next?: string;
}

async function fixture(t: Test, wrap: (history: History) => History = (history) => history) {
  const clock = new ManualClock();
  const kept = new LocalHistory({ clock, epoch: 'e', historySize: 5, historyTtl: 60_000 });
  const backplane = new LocalBackplane(silentLog, rememberedIds(), kept);
  const history = new ChannelHistory(wrap(historyOf(backplane) as History));
  const taps = { close() {} } as unknown as ChannelTaps;
  const cluster = new ClusterViews(new ScriptedCluster({}), clock);
  const control = await startControl(t, { backplane, views: { cluster, taps, history } });
  const publish = (count: number) =>
    backplane.publish(Array.from({ length: count }, (_, i) => streamMessage('a/b', `${i + 1}`)));
  const ask = async (query = '', method = 'GET') => {
    const { status, body } = await control.ask(method, `/channels/a%2Fb/history${query}`);
    return { status, page: JSON.parse(body) as Page & { readonly code?: string } };
  };
  const ids = async (query: string) => (await ask(query)).page.items.map(({ id }) => id).join();
  return { publish, ask, ids };
}

t.test('items come with their positions, the oldest first, and a page says where the next begins', async (t) => {
  const { publish, ask, ids } = await fixture(t);
  await publish(4);
  const { status, page } = await ask('?limit=3');
  t.equal(status, 200);
  t.match(page, {
    channel: 'a/b',
    items: [{ id: '1', channel: 'a/b', formats: { 'http-stream': { content: '1' } }, offset: 1, epoch: 'e.0' }, {}, {}],
    next: 'e.0:3',
  });
  const rest = await ask(`?since=${page.next}`);
  t.strictSame(
    rest.page.items.map(({ id }) => id),
    ['4'],
  );
  t.equal(rest.page.next, undefined);
  t.equal(await ids(''), '1,2,3,4');
});

t.test('in reverse the newest come first, and pages go back', async (t) => {
  const { publish, ask, ids } = await fixture(t);
  await publish(4);
  const { page } = await ask('?reverse=true&limit=3');
  t.strictSame(
    page.items.map(({ id }) => id),
    ['4', '3', '2'],
  );
  t.equal(page.next, 'e.0:2');
  t.equal(await ids(`?reverse=1&limit=3&since=${page.next}`), '1');
});

t.test('where items after the position are gone it says so, and a channel without any has an empty page', async (t) => {
  const { publish, ask } = await fixture(t);
  t.match(await ask(), { status: 200, page: { items: [] } });
  await publish(9);
  t.match(await ask('?since=e.0:1'), { status: 410, page: { code: 'ERR_CONTROL_HISTORY' } });
  t.match(await ask('?since=other:1'), { status: 410 });
});

t.test('what was deleted is gone', async (t) => {
  const { publish, ask } = await fixture(t);
  await publish(2);
  t.match(await ask('', 'DELETE'), { status: 200, page: { message: 'Deleted', channel: 'a/b' } });
  t.match(await ask(), { status: 200, page: { items: [] } });
});

t.test('a query that cannot be is refused', async (t) => {
  const { ask } = await fixture(t);
  for (const query of [
    '?limit=0',
    '?limit=x',
    `?limit=${HISTORY_PAGE_MAX + 1}`,
    '?since=7',
    '?reverse=2',
    '?other=1',
  ]) {
    t.match(await ask(query), { status: 400, page: { code: 'ERR_CONTROL_ARGUMENT' } }, query);
  }
  t.equal((await ask(`?limit=${HISTORY_PAGE_MAX}`)).status, 200);
});

t.test('where no history is kept there is none', async (t) => {
  const { ask } = await fixture(t, (history) => ({ ...history, read: () => Promise.resolve(undefined) }));
  t.match(await ask(), { status: 404, page: { code: 'ERR_CONTROL_HISTORY' } });
});

t.test('only so many pages are under way', async (t) => {
  const waiting: (() => void)[] = [];
  const { ask } = await fixture(t, (history) => ({
    ...history,
    read: () => new Promise((resolve) => waiting.push(() => resolve(undefined))),
  }));
  const asked = Array.from({ length: MAX_HISTORY_PAGES }, () => ask());
  while (waiting.length < MAX_HISTORY_PAGES) await new Promise(setImmediate);
  t.match(await ask(), { status: 503 });
  for (const answer of waiting) answer();
  for (const one of asked) t.equal((await one).status, 404);
});

t.test('a page in reverse that its bytes cut off is asked for with fewer items', async (t) => {
  const limits: number[] = [];
  const { publish, ask } = await fixture(t, (history) => ({
    ...history,
    read: (channel, start, limit) => {
      limits.push(limit);
      return history.read(channel, start, Math.min(limit, 2));
    },
  }));
  await publish(5);
  const { page } = await ask('?reverse=1&limit=5');
  t.strictSame(
    page.items.map(({ id }) => id),
    ['5', '4'],
  );
  t.strictSame(limits, [5, 2]);
});
