import { parseItem } from '@holdfast/grip';
import fc from 'fast-check';
import t from 'tap';
import { metaOf, SubscriptionList } from '../../dist/channels/subscription-list.js';

const wish = (name: string, prevId?: string, filters: string[] = []) => ({
  name,
  filters,
  ...(prevId !== undefined && { prevId }),
});

t.test('channels are known by their full name, and told by the origin’s', async (t) => {
  const list = new SubscriptionList();
  list.set('p-a', wish('a', '1'));
  list.set('p-b', wish('b'));
  list.set('all', wish('all', 'x'));
  t.strictSame(list.channels, ['p-a', 'p-b', 'all']);
  t.strictSame(
    [...list.lastIds],
    [
      ['a', '1'],
      ['all', 'x'],
    ],
    'only those whose ids are tracked',
  );
  t.strictSame([list.has('p-a'), list.has('a'), list.size], [true, false, 3]);
  t.match(list.find('p-a'), { channel: 'p-a', name: 'a', prevId: '1' });
});

t.test('of a channel named twice the last wish counts', async (t) => {
  const list = new SubscriptionList();
  list.set('a', wish('a', '1', ['skip-self']));
  list.set('a', wish('a'));
  t.equal(list.size, 1);
  t.match(list.find('a'), { prevId: undefined, filters: [], plan: { steps: [] } });
});

t.test('a channel is deleted once', async (t) => {
  const list = new SubscriptionList();
  list.set('a', wish('a'));
  t.strictSame([list.delete('a'), list.delete('a'), list.size], [true, false, 0]);
});

t.test('last ids are those of the moment when they were asked for', async (t) => {
  const list = new SubscriptionList();
  list.set('a', wish('a', '1'));
  const before = list.lastIds;
  const subscription = list.find('a');
  if (subscription !== undefined) subscription.prevId = '2';
  t.strictSame([[...before], [...list.lastIds]], [[['a', '1']], [['a', '2']]]);
});

t.test('what filters see: both metas, last ids, and the channels by the origin’s names', async (t) => {
  const list = new SubscriptionList();
  list.meta = metaOf({ user: 'ann' });
  list.set('p-a', wish('a', '1'));
  const item = parseItem({ channel: 'p-a', meta: { sender: 'bob' }, formats: { 'http-stream': { content: '' } } });
  const context = list.filterContext(item);
  t.equal(context.subMeta.get('user'), 'ann');
  t.equal(context.pubMeta.sender, 'bob');
  t.equal(context.prevIds.get('a'), '1');
  t.strictSame(
    [context.isSubscribed('a'), context.isSubscribed('p-a'), context.isSubscribed('b')],
    [true, false, false],
  );
});

t.test('the plan of a channel is made of its filters', async (t) => {
  const list = new SubscriptionList();
  list.set('a', wish('a', undefined, ['skip-self', 'unknown', 'var-subst']));
  t.strictSame(
    list.find('a')?.plan.steps.map(({ name }) => name),
    ['skip-self', 'var-subst'],
  );
});

t.test('property: channels come and go as in a map, and stay in the order of their coming', async () => {
  const step = fc.record({ channel: fc.constantFrom('a', 'b', 'c'), prevId: fc.constantFrom('1', '2', undefined) });
  const steps = fc.array(fc.record({ step, deletes: fc.boolean() }), { maxLength: 20 });
  fc.assert(
    fc.property(steps, (all) => {
      const list = new SubscriptionList();
      const map = new Map<string, string | undefined>();
      for (const { step, deletes } of all) {
        const { channel, prevId } = step;
        if (deletes) {
          if (list.delete(channel) !== map.delete(channel)) return false;
        } else {
          list.set(channel, wish(channel, prevId));
          map.set(channel, prevId);
        }
      }
      const tracked = [...map.values()].some((prevId) => prevId !== undefined);
      return (
        list.size === map.size &&
        JSON.stringify(list.all.map((one) => [one.channel, one.prevId])) === JSON.stringify([...map]) &&
        [...map.keys()].every((channel) => list.find(channel)?.channel === channel) &&
        (list.tracked !== undefined) === tracked
      );
    }),
    { numRuns: 1_000 },
  );
});
