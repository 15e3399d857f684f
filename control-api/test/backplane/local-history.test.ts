import t from 'tap';
import { IdCache, LocalBackplane, LocalHistory, type LocalHistoryOptions, silentLog } from '../../dist/index.js';
import { streamMessage } from '../items.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingListener } from '../recorder.js';
import { backplaneContract } from './contract.js';
import { historyContract } from './history-contract.js';

const TTL = 60_000;

function made(options: Partial<LocalHistoryOptions> = {}) {
  const clock = new ManualClock();
  const history = new LocalHistory({ clock, epoch: 'e', size: 10, ttl: TTL, ...options });
  const ids = new IdCache({ clock, ttl: TTL, events: { idsForgotten() {} } });
  return { clock, history, backplane: new LocalBackplane(silentLog, ids, history) };
}

historyContract(t, 'local', async (size) => ({ backplane: made({ size }).backplane }));
backplaneContract(t, 'local with history', async () => ({ backplanes: [made().backplane] }));

async function started(options: Partial<LocalHistoryOptions> = {}) {
  const scene = made(options);
  const listener = new RecordingListener();
  await scene.backplane.start(listener);
  const publish = async (...items: readonly (readonly [channel: string, id: string])[]) =>
    (await scene.backplane.publish(items.map(([channel, id]) => streamMessage(channel, id)))).map(
      ({ position }) => position,
    );
  return { ...scene, listener, publish };
}

t.test('items are delivered with their positions', async (t) => {
  const { backplane, listener, publish } = await started();
  await backplane.subscribe('a');
  const positions = await publish(['a', '1'], ['a', '2']);
  t.strictSame(
    listener.messages.map((message) => message.type === 'item' && message.position),
    positions,
  );
});

t.test('a duplicate is told the position of the first', async (t) => {
  const { backplane, publish } = await started();
  const [first] = await publish(['a', '1'], ['a', '2']);
  t.strictSame(await backplane.publish([streamMessage('a', '1')]), [{ duplicate: true, position: first }]);
});

t.test('items go after their time', async (t) => {
  const { backplane, clock, history, publish } = await started();
  await backplane.subscribe('a');
  const [first, second] = await publish(['a', '1'], ['a', '2']);
  clock.advance(TTL - 1);
  const [third] = await publish(['a', '3']);
  t.match(await backplane.read('a', { after: first as never }, 9), { end: third, complete: true });
  clock.advance(1);
  t.equal(await backplane.read('a', { after: first as never }, 9), undefined);
  t.match(await backplane.read('a', { after: second as never }, 9), { end: third });
  clock.advance(2 * TTL);
  t.equal(history.held.bytes, 0);
});

t.test('the count of a channel goes on as long as somebody is interested, and ends with its time after', async (t) => {
  const { backplane, clock, history, publish } = await started();
  await backplane.subscribe('a');
  const head = await backplane.head('a');
  clock.advance(10 * TTL);
  await publish(['a', '1']);
  t.match(await backplane.read('a', { after: head as never }, 9), { messages: [{ id: '1' }], complete: true });
  backplane.unsubscribe('a');
  clock.advance(3 * TTL);
  t.strictSame(history.held, { channels: 0, bytes: 0 });
  t.equal(clock.pending, 0, 'and no timer is left, once the ids are forgotten too');
  await publish(['a', '2']);
  t.equal(await backplane.read('a', { after: head as never }, 9), undefined, 'the count is another');
});

t.test('over the limit of bytes the channels published to least recently lose their items', async (t) => {
  const { backplane, history, publish } = await started({ size: 100, maxBytes: 5_000 });
  const heads = await Promise.all(['a', 'b', 'c'].map((name) => backplane.head(name)));
  for (const name of ['a', 'b', 'a', 'c', 'c', 'c', 'c']) await publish([name, `${name}${history.held.bytes}`]);
  t.ok(history.held.bytes <= 5_000);
  await publish(['c', 'last']);
  t.ok(history.held.bytes <= 5_000);
  const read = await Promise.all(
    ['a', 'b', 'c'].map((name, i) => backplane.read(name, { after: heads[i] as never }, 9)),
  );
  t.equal(read[1], undefined);
  t.equal(read[2]?.messages.length, 5);
  t.equal(history.held.channels, 3, 'counts stay');
});

t.test('while it is off nothing is kept, and what was kept is forgotten', async (t) => {
  let isOn = true;
  const { backplane, history, publish } = await started({ isOn: () => isOn });
  const [first] = await publish(['a', '1'], ['a', '2']);
  isOn = false;
  t.strictSame(await publish(['a', '3']), [undefined]);
  t.equal(history.held.channels, 0);
  t.equal(await backplane.head('a'), undefined);
  isOn = true;
  const [again] = await publish(['a', '4']);
  t.not(again?.epoch, first?.epoch);
  t.equal(await backplane.read('a', { after: first as never }, 9), undefined);
});

t.test('without a history there are no positions, and nothing can be read', async (t) => {
  const backplane = new LocalBackplane(silentLog);
  await backplane.start(new RecordingListener());
  t.strictSame(await backplane.publish([streamMessage('a', '1')]), [{ duplicate: false, nodes: 0 }]);
  t.equal(await backplane.read('a', { afterId: '1' }, 1), undefined);
  t.equal(await backplane.head('a'), undefined);
});
