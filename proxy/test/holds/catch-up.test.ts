import { parseItem } from '@holdfast/grip';
import fc from 'fast-check';
import t from 'tap';
import { Delivery } from '../../dist/channels/delivery.js';
import { SubscriptionList } from '../../dist/channels/subscription-list.js';
import { follow } from '../../dist/holds/catch-up.js';
import { ItemQueue } from '../../dist/holds/hold.js';

const delivery = (content: string, ids: { id?: string; 'prev-id'?: string } = {}, channel = 'c') =>
  new Delivery(parseItem({ channel, ...ids, formats: { 'http-stream': { content } } }), 0);

/** The item with this number in its channel's log. */
const numbered = (n: number, channel = 'c') => delivery(`${n}`, { id: `${n}`, 'prev-id': `${n - 1}` }, channel);

/** Channels with the last id that the client has of each. */
function list(lastIds: Readonly<Record<string, string | undefined>>): SubscriptionList {
  const subscriptions = new SubscriptionList();
  for (const [name, prevId] of Object.entries(lastIds)) {
    subscriptions.set(name, { name, filters: [], ...(prevId !== undefined && { prevId }) });
  }
  return subscriptions;
}

const contents = (deliveries: readonly Delivery[]) =>
  deliveries.map(({ stream }) => (stream?.action === 'send' ? stream.content.toString() : stream?.action)).join(' ');

t.test('what waits comes out in order, once, and its bytes are counted', async (t) => {
  const queue = new ItemQueue();
  const close = new Delivery(parseItem({ channel: 'c', formats: { 'http-stream': { action: 'close' } } }), 0);
  const added = [delivery('a'), delivery('bé'), close];
  for (const one of added) queue.add(one);
  t.equal(
    queue.bytes,
    added.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  t.equal(contents(queue.take()), 'a bé close');
  t.equal(queue.bytes, 0);
  t.strictSame(queue.take(), []);
});

t.test('all of an item counts, not its content alone', async (t) => {
  const queue = new ItemQueue();
  const item = { channel: 'c', meta: { a: 'x'.repeat(1_000) }, formats: { 'http-stream': { content: '' } }, size: 0 };
  queue.add(new Delivery(parseItem(item), 0));
  t.ok(queue.bytes > 1_000);
});

t.test('what is taken is not touched by what comes after', async (t) => {
  const queue = new ItemQueue();
  queue.add(delivery('a'));
  const taken = queue.take();
  queue.add(delivery('b'));
  t.equal(taken.length, 1);
});

t.test('a cleared queue is empty', async (t) => {
  const queue = new ItemQueue();
  queue.add(delivery('a'));
  queue.clear();
  t.equal(queue.bytes, 0);
  t.strictSame(queue.take(), []);
});

t.test('all items of channels that are not tracked follow, none of channels that were left', async (t) => {
  const { following, isBehind } = follow([numbered(7), numbered(3, 'left'), delivery('x')], list({ c: undefined }));
  t.equal(contents(following), '7 x');
  t.notOk(isBehind);
});

t.test('items that the origin has told already are left out', async (t) => {
  const { following, isBehind } = follow(
    [2, 3, 4, 5].map((n) => numbered(n)),
    list({ c: '3' }),
  );
  t.equal(contents(following), '4 5');
  t.notOk(isBehind);
});

t.test('all told already: nothing follows, and nothing is missing', async (t) => {
  t.match(follow([numbered(2), numbered(3)], list({ c: '3' })), { following: [], isBehind: false });
});

t.test('no item is the next, and the last is not where the origin ended: something may be missing', async (t) => {
  t.match(follow([numbered(5), numbered(6)], list({ c: '3' })), { following: [], isBehind: true });
  t.match(follow([delivery('no ids')], list({ c: '3' })), { following: [], isBehind: true });
});

t.test('what follows the first goes along even with a gap: whoever takes it will find that', async (t) => {
  t.equal(
    contents(
      follow(
        [4, 6].map((n) => numbered(n)),
        list({ c: '3' }),
      ).following,
    ),
    '4 6',
  );
});

t.test('each channel counts by itself, and the order of all stays', async (t) => {
  const waited = [numbered(9, 'behind'), numbered(4), delivery('x', {}, 'free'), numbered(5), numbered(10, 'behind')];
  const { following, isBehind } = follow(waited, list({ c: '3', behind: '1', free: undefined }));
  t.equal(contents(following), '4 x 5');
  t.ok(isBehind, 'one channel is behind although another goes on');
});

t.test('the item that has shown the gap must be in what the origin told, or be followed', async (t) => {
  t.notOk(follow([], list({ c: '5' }), numbered(5)).isBehind, 'it is the last');
  t.ok(follow([], list({ c: '3' }), numbered(5)).isBehind, 'the answer was made before it');
  t.notOk(follow([numbered(6)], list({ c: '5' }), numbered(5)).isBehind);
  t.ok(follow([numbered(6)], list({ c: '3' }), numbered(5)).isBehind);
  t.notOk(follow([numbered(7)], list({ c: '6' }), numbered(5)).isBehind, 'the origin knew of more');
  t.notOk(follow([], list({ c: '3' }), delivery('no id')).isBehind, 'nobody can tell: no loop');
  t.notOk(follow([], list({ c: undefined }), numbered(5)).isBehind, 'not tracked any more');
});

t.test('of any run of a log that waited, exactly what the origin has not told follows', async () => {
  fc.assert(
    fc.property(fc.nat(20), fc.nat(20), fc.nat(30), (first, length, told) => {
      const run = Array.from({ length }, (_, i) => first + i + 1);
      const { following, isBehind } = follow(
        run.map((n) => numbered(n)),
        list({ c: `${told}` }),
      );
      const last = run.at(-1);
      const missing = run.filter((n) => n > told);
      // What lies before the run, or behind its end, only the origin can tell.
      if (last === undefined) return following.length === 0 && !isBehind;
      if (told < first || told > last) return following.length === 0 && isBehind;
      return contents(following) === missing.join(' ') && !isBehind;
    }),
  );
});
