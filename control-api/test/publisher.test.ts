import { parseItem } from '@holdfast/grip';
import t from 'tap';
import type { Acceptance, Backplane } from '../dist/index.js';
import { CauseLog, ControlError, LocalBackplane, Publisher, Reach, silentLog } from '../dist/index.js';
import { streamItem } from './items.js';
import { ManualClock } from './manual-clock.js';
import { RecordingEvents, RecordingListener, RecordingLog } from './recorder.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function setUp(subscribers: Record<string, number> = {}) {
  const backplane = new LocalBackplane(silentLog);
  const listener = new RecordingListener();
  const events = new RecordingEvents();
  const log = new RecordingLog();
  await backplane.start(listener);
  for (const channel of Object.keys(subscribers)) await backplane.subscribe(channel);
  const countSubscribers = (channel: string) => subscribers[channel] ?? 0;
  return { publisher: new Publisher({ backplane, countSubscribers, events, log }), backplane, listener, events, log };
}

/** A backplane whose publishes the test settles, or that throws what it is given. */
function heldBackplane(publish: Backplane['publish']): Backplane {
  return {
    start: async () => {},
    publish,
    subscribe: () => undefined,
    unsubscribe() {},
    close: async () => {},
    unavailableReason: undefined,
  };
}

const noSubscribers = () => 0;

t.test('receipts name each item with its channel and subscribers, in order', async (t) => {
  const { publisher } = await setUp({ a: 3 });
  t.strictSame(await publisher.publish([streamItem('a', 'x', '1'), streamItem('b', 'y', '')]), [
    { id: '1', channel: 'a', subscribers: 3, nodes: 1 },
    { id: '', channel: 'b', subscribers: 0, nodes: 0, unreceived: true },
  ]);
});

t.test('an item without id gets one in its receipt and its message, but not in itself', async (t) => {
  const { publisher, listener } = await setUp({ a: 1 });
  const [first, second] = await publisher.publish([streamItem('a', 'x'), streamItem('a', 'y')]);
  t.match(first?.id, UUID);
  t.not(first?.id, second?.id);
  const [message] = listener.messages;
  if (message?.type !== 'item') throw new Error('no item arrived');
  t.equal(message.id, first?.id);
  t.equal(message.item.id, undefined);
});

t.test('a receipt has what the backplane answers: nodes, position, duplicate', async (t) => {
  const acceptances: Acceptance[] = [
    { duplicate: false, nodes: 3, position: { epoch: 'e', offset: 7 } },
    { duplicate: true, position: { epoch: 'e', offset: 2 } },
  ];
  const backplane = heldBackplane(async () => acceptances);
  const options = { backplane, events: new RecordingEvents(), log: silentLog };
  const publisher = new Publisher({ ...options, countSubscribers: () => undefined });
  t.strictSame(await publisher.publish([streamItem('a', 'x', '1'), streamItem('a', 'y', '0')]), [
    { id: '1', channel: 'a', nodes: 3, epoch: 'e', offset: 7 },
    { id: '0', channel: 'a', epoch: 'e', offset: 2, duplicate: true },
  ]);
});

t.test('subscribers are counted before delivery, which may end their holds', async (t) => {
  const subscribers: Record<string, number> = { a: 1 };
  const { publisher, listener } = await setUp(subscribers);
  listener.before = () => {
    subscribers.a = 0;
  };
  t.match(await publisher.publish([streamItem('a', 'x', '1')]), [{ subscribers: 1 }]);
});

t.test('items are handed over before publish returns, and acknowledged after the backplane accepted', async (t) => {
  let accept: (acceptances: Acceptance[]) => void = () => {};
  const handed: number[] = [];
  const events = new RecordingEvents();
  const backplane = heldBackplane((messages) => {
    handed.push(messages.length);
    return new Promise((resolve) => {
      accept = resolve;
    });
  });
  const publisher = new Publisher({ backplane, countSubscribers: noSubscribers, events, log: silentLog });
  let acknowledged = false;
  const publishing = publisher.publish([streamItem('a', 'x'), streamItem('a', 'y')]).then(() => {
    acknowledged = true;
  });
  t.strictSame(handed, [2]);
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(acknowledged);
  t.strictSame(events.seen, []);
  accept([{ duplicate: false }, { duplicate: false }]);
  await publishing;
  t.strictSame(events.seen, ['published 2']);
});

t.test('a refusal of the backplane reaches the caller, and nothing counts as published', async (t) => {
  const { publisher, backplane, events } = await setUp();
  await backplane.close();
  await t.rejects(publisher.publish([streamItem('a', 'x')]), { code: 'ERR_BACKPLANE_CLOSED' });
  await t.rejects(publisher.recover(), { code: 'ERR_BACKPLANE_CLOSED' });
  t.strictSame(events.seen, []);
});

t.test('recover is passed on', async (t) => {
  const { publisher, listener, events } = await setUp();
  await publisher.recover();
  t.strictSame(listener.labels, ['recover']);
  t.strictSame(events.seen, ['recovered']);
});

t.test('an item is logged at debug with channel, id and subscribers', async (t) => {
  const { publisher, log } = await setUp({ a: 2 });
  await publisher.publish([streamItem('a', 'x', '1')]);
  t.match(log.at('debug'), [{ fields: { channel: 'a', id: '1', subscribers: 2 } }]);
});

t.test('items that reached nobody are counted and logged, one line for all of a moment', async (t) => {
  const { events, log } = await setUp();
  const acceptances: Acceptance[] = [
    { duplicate: false, nodes: 0 },
    { duplicate: false, nodes: 2 },
    { duplicate: true },
    { duplicate: false },
  ];
  const backplane = heldBackplane(async (messages) => acceptances.slice(0, messages.length));
  const clock = new ManualClock();
  const causes = new CauseLog(log, clock);
  const publisher = new Publisher({ backplane, countSubscribers: noSubscribers, events, log: silentLog, causes });
  const items = ['a', 'b', 'c', 'd'].map((channel) => streamItem(channel, 'x', '1'));
  const receipts = await publisher.publish(items);
  t.strictSame(
    receipts.map(({ unreceived }) => unreceived),
    [true, undefined, undefined, undefined],
    'not where somebody may be, and no duplicate',
  );
  await publisher.publish([streamItem('e', 'x', '2')]);
  t.strictSame(events.unreceivedItems, [1, 1]);
  const line = { level: 'info', message: 'published items reached nobody' };
  t.match(log.lines, [{ ...line, fields: { channel: 'a', id: '1', items: 1 } }]);
  clock.advance(1_000);
  t.match(log.lines[1], { ...line, fields: { channel: 'e', again: 1 } });
});

t.test('what has formats for nobody reaches nobody, however many are there', async (t) => {
  const { publisher, events } = await setUp({ a: 3 });
  const item = parseItem({ channel: 'a', id: '1', formats: { 'http-steam': { content: 'x' } } });
  t.match(await publisher.publish([item]), [{ subscribers: 3, nodes: 1, unreceived: true }]);
  t.strictSame(events.unreceivedItems, [1]);
});

t.test('what nobody here takes reaches nobody, unless another node has interest, or may have', async (t) => {
  const receiptOf = async (nodes: number | undefined, isTaken: boolean) => {
    const accepted = nodes === undefined ? { duplicate: false } : { duplicate: false, nodes };
    const backplane = heldBackplane(async (messages) => messages.map(() => accepted));
    const options = { backplane, countSubscribers: () => 1, isTaken: () => isTaken, log: new RecordingLog() };
    const [receipt] = await new Publisher({ ...options, events: new RecordingEvents() }).publish([
      streamItem('a', 'x'),
    ]);
    return receipt?.unreceived;
  };
  t.same([await receiptOf(1, false), await receiptOf(1, true)], [true, undefined]);
  t.same([await receiptOf(2, false), await receiptOf(undefined, false)], [undefined, undefined]);
});

t.test('a reach that was counted is in the receipt, of the kinds that the item has a format for', async (t) => {
  const answer = (response: number, stream: number, ws: number) => [{ response, stream, ws, callback: 0, xmpp: 0 }];
  const answers = [
    { node: 'own', answer: answer(1, 2, 3) },
    { node: 'other', answer: answer(10, 20, 30) },
  ];
  const backplane = heldBackplane(async () => [{ duplicate: false, nodes: 2 }]);
  const options = { backplane, events: new RecordingEvents(), log: silentLog };
  const publisher = new Publisher({ ...options, countSubscribers: () => undefined });
  const receiptWith = async (reach: Reach) =>
    (await publisher.publish([streamItem('a', 'x', '1')], undefined, { reach }))[0];
  t.strictSame(await receiptWith(new Reach(['a'], answers, [], 'own')), {
    id: '1',
    channel: 'a',
    subscribers: 6,
    nodes: 2,
    reach: { response: 0, stream: 22, ws: 0, callback: 0, xmpp: 0 },
  });
  const nobody = [{ node: 'own', answer: answer(5, 0, 5) }];
  t.match(await receiptWith(new Reach(['a'], nobody, [], 'own')), { unreceived: true });
  t.notMatch(await receiptWith(new Reach(['a'], nobody, ['silent'], 'own')), { unreceived: true }, 'it may be there');
  t.strictSame(await receiptWith(new Reach(['b'], [], [], 'own')), { id: '1', channel: 'a', nodes: 2 });
});

t.test('errors carry code, side and cause', async (t) => {
  const cause = new Error('socket closed');
  const error = new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'No connection.', { cause });
  t.match(error, { name: 'ControlError', code: 'ERR_BACKPLANE_UNAVAILABLE', side: 'internal', cause });
});
