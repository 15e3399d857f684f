/** What every `CallbackStore` keeps to, whatever is behind it. */
import type { Test } from 'tap';
import { freshStatus } from '../../dist/callbacks/callback.js';
import type { Backplane, CallbackStore, CallbackWork } from '../../dist/index.js';
import { until } from '../backplane/redis/redis-fixture.js';
import { streamMessage } from '../items.js';
import { callback, RecordingKeeper, requestMessage } from './callbacks-fixture.js';

/** A node with a store, not yet started, and the way of publishers to it. */
export interface StoreNode {
  readonly store: CallbackStore & CallbackWork;
  readonly publish: Backplane['publish'];
}

type Work = CallbackStore & CallbackWork;

/** Takes so many items, one after the other, that wait or are on their way; and then what else waits. */
export async function drain(store: Work, id: string, count: number): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const next = await store.next(id);
    if (next === undefined) {
      if (bodies.length >= count) return bodies;
      await new Promise((resolve) => setTimeout(resolve, 5));
      continue;
    }
    bodies.push(next.item.message?.id ?? 'unreadable');
    await store.done(id, next.item);
  }
}

/** The oldest item, once there is one. */
export async function waiting(store: Work, id: string) {
  let next = await store.next(id);
  await until('an item waits', async () => {
    next ??= await store.next(id);
    return next !== undefined;
  });
  return next as NonNullable<typeof next>;
}

/** Tests it; `start` gives a node that ends with the test. */
export function callbackStoreContract(t: Test, name: string, start: (t: Test) => Promise<StoreNode>): void {
  /** A started node that keeps these callbacks. */
  const keeping = async (t: Test, ...ids: readonly string[]) => {
    const node = await start(t);
    const keeper = new RecordingKeeper();
    await node.store.start(keeper);
    for (const id of ids) t.equal(await node.store.put(callback(id, [`c-${id}`])), true);
    await until('they are kept', () => ids.every((id) => keeper.kept.has(id)));
    return { ...node, keeper };
  };

  t.test(`${name}: what is accepted after put waits, in order, until it is done`, async (t) => {
    const { store, publish, keeper } = await keeping(t, 'a');
    await publish([requestMessage('c-a', '1'), requestMessage('c-a', '2')]);
    await publish([requestMessage('c-other', 'x'), requestMessage('c-a', '3')]);
    await until('they are announced', () => (keeper.items.get('a') ?? 0) > 0);
    t.equal((await store.read('a'))?.backlog.items, 3);
    const first = await waiting(store, 'a');
    const again = await store.next('a');
    t.equal(first.item.message?.id, '1');
    t.equal(again?.item.key, first.item.key, 'until it is done, the same comes');
    t.strictSame(await drain(store, 'a', 3), ['1', '2', '3']);
    t.equal((await store.read('a'))?.backlog.items, 0);
  });

  t.test(
    `${name}: no two items have the same key, and items without the format, or for one client, do not wait`,
    async (t) => {
      const { store, publish } = await keeping(t, 'a', 'b');
      const single = requestMessage('c-a', 'for one client');
      await publish([{ ...single, item: { ...single.item, deliver: 'one' } }]);
      await publish([streamMessage('c-a', 'no'), requestMessage('c-a', '1'), requestMessage('c-a', '2')]);
      await publish([requestMessage('c-b', '1')]);
      const keys = new Set<string>();
      for (const id of ['a', 'a', 'b']) {
        const next = await waiting(store, id);
        keys.add(`${id} ${next.item.key}`);
        await store.done(id, next.item);
      }
      t.equal(keys.size, 3);
      t.equal(await store.next('a'), undefined);
    },
  );

  t.test(`${name}: an item that is published twice under one id waits once`, async (t) => {
    const { store, publish } = await keeping(t, 'a');
    await publish([requestMessage('c-a', '1')]);
    await publish([requestMessage('c-a', '1'), requestMessage('c-a', '2')]);
    t.strictSame(await drain(store, 'a', 2), ['1', '2']);
  });

  t.test(`${name}: two callbacks of a channel each get all of it`, async (t) => {
    const { store, publish, keeper } = await keeping(t);
    await store.put(callback('one', ['shared']));
    await publish([requestMessage('shared', '1')]);
    await store.put(callback('two', ['shared']));
    await until('both are kept', () => keeper.kept.size === 2);
    await publish([requestMessage('shared', '2')]);
    t.strictSame(await drain(store, 'one', 2), ['1', '2']);
    t.strictSame(await drain(store, 'two', 1), ['2'], 'from the moment on that it was made');
  });

  t.test(`${name}: made anew, it keeps what waits of channels that it stays on, and loses the rest`, async (t) => {
    const { store, publish, keeper } = await keeping(t);
    await store.put(callback('a', ['stays', 'goes']));
    await until('it is kept', () => keeper.kept.has('a'));
    await publish([requestMessage('stays', '1'), requestMessage('goes', '2')]);
    t.equal(await store.put(callback('a', ['stays', 'comes'], { url: 'http://127.0.0.1:2/' })), false);
    await until('it is kept anew', () => keeper.kept.get('a')?.callback.url.endsWith(':2/') === true);
    await publish([requestMessage('goes', '3'), requestMessage('comes', '4')]);
    t.strictSame((await drain(store, 'a', 2)).sort(), ['1', '4']);
  });

  t.test(`${name}: one that has ended is not there any more, nor what waited for it`, async (t) => {
    const { store, publish, keeper } = await keeping(t, 'a');
    await publish([requestMessage('c-a', '1')]);
    t.equal((await store.remove('a'))?.callback.id, 'a');
    t.equal(await store.remove('a'), undefined);
    t.equal(await store.read('a'), undefined);
    await until('its keeper knows', () => keeper.left.includes('a'));
    t.equal(store.keeps('a'), false);
    t.equal(await store.put(callback('a', ['c-a'])), true);
    await until('it is kept again', () => store.keeps('a'));
    t.strictSame(await drain(store, 'a', 0), []);
  });

  t.test(`${name}: what ends a version of it does not end one that was made anew`, async (t) => {
    const { store, keeper } = await keeping(t, 'a');
    const { version } = keeper.kept.get('a') ?? { version: 0 };
    await store.put(callback('a', ['c-a']));
    t.equal(await store.remove('a', version), undefined);
    const now = await store.read('a');
    t.not(now?.version, version);
    t.equal((await store.remove('a', now?.version))?.version, now?.version);
    t.equal(await store.read('a'), undefined);
  });

  t.test(`${name}: how it fares is kept, but not what was found out about an earlier one`, async (t) => {
    const { store, keeper } = await keeping(t, 'a');
    const { version } = keeper.kept.get('a') ?? { version: 0 };
    const status = { ...freshStatus, state: 'active', confirmed: true, failures: 2, error: 'status 500' } as const;
    await store.note('a', version, status);
    t.match(await store.read('a'), { status });
    await store.put(callback('a', ['c-a']));
    await store.note('a', version, { ...status, state: 'parked' });
    const renewed = await store.read('a');
    t.match(renewed?.status, { state: 'active', confirmed: true, failures: 0 }, 'the same URL has confirmed it');
    await store.put(callback('a', ['c-a'], { url: 'http://127.0.0.1:3/' }));
    t.match((await store.read('a'))?.status, { state: 'pending', confirmed: false });
  });

  t.test(`${name}: all of them come in pages, each once`, async (t) => {
    const ids = Array.from({ length: 25 }, (_, n) => `id-${n}`);
    const { store } = await keeping(t, ...ids);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await store.list(after, 10);
      t.ok(page.records.length <= 10);
      seen.push(...page.records.map(({ callback: { id } }) => id));
      after = page.next;
    } while (after !== undefined);
    t.strictSame(seen.sort(), [...ids].sort());
  });
}
