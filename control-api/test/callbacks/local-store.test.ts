/** Callbacks of a node that is alone. */
import { parseItem } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { LOCAL_BACKLOG_BYTES, LOCAL_CALLBACKS_MAX } from '../../dist/callbacks/local-store.js';
import { BackplaneHub, LocalBackplane, LocalCallbacks, silentLog } from '../../dist/index.js';
import { rememberedIds } from '../items.js';
import { callback, RecordingKeeper, requestMessage } from './callbacks-fixture.js';
import { callbackStoreContract, drain } from './contract.js';

async function start(t: Test, backlogMax = 1_000) {
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog, rememberedIds()), log: silentLog });
  await hub.start();
  const store = new LocalCallbacks({ share: hub.share({ watches: true }), backlogMax });
  t.teardown(async () => {
    await store.close();
    await hub.close();
  });
  return { store, publish: hub.publish.bind(hub) };
}

callbackStoreContract(t, 'local', start);

t.test('of more items than may wait the oldest go, counted once', async (t) => {
  const { store, publish } = await start(t, 3);
  await store.start(new RecordingKeeper());
  await store.put(callback('a', ['a']));
  await publish(['1', '2', '3', '4', '5'].map((body) => requestMessage('a', body)));
  const next = await store.next('a');
  t.equal(next?.lost, 2);
  t.equal((await store.next('a'))?.lost, 0);
  t.strictSame(await drain(store, 'a', 3), ['3', '4', '5']);
});

t.test('an item that goes while it is sent does not take the next one with it', async (t) => {
  const { store, publish } = await start(t, 2);
  await store.start(new RecordingKeeper());
  await store.put(callback('a', ['a']));
  await publish([requestMessage('a', '1'), requestMessage('a', '2')]);
  const next = await store.next('a');
  await publish([requestMessage('a', '3')]);
  if (next !== undefined) await store.done('a', next.item);
  t.strictSame(await drain(store, 'a', 2), ['2', '3']);
});

t.test('all that waits together is bounded in bytes', async (t) => {
  const { store, publish } = await start(t);
  await store.start(new RecordingKeeper());
  await store.put(callback('a', ['a']));
  const large = 'x'.repeat(LOCAL_BACKLOG_BYTES / 4);
  const message = (n: number) => {
    const item = parseItem({ channel: 'a', formats: { 'http-request': { body: large } } });
    return { type: 'item', item, id: String(n) } as const;
  };
  for (let n = 1; n <= 5; n++) await publish([message(n)]);
  t.equal((await store.read('a'))?.backlog.items, 3);
});

t.test('one callback too many is refused', async (t) => {
  const { store } = await start(t);
  await store.start(new RecordingKeeper());
  for (let n = 0; n < LOCAL_CALLBACKS_MAX; n++) await store.put(callback(`id-${n}`, ['a']));
  await t.rejects(store.put(callback('more', ['a'])), { code: 'ERR_CALLBACKS_FULL' });
  t.equal(await store.put(callback('id-0', ['a'])), false, 'one that is there can be made anew');
});
