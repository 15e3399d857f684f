import t from 'tap';
import { Delivery } from '../../dist/channels/delivery.js';
import { isChain, wasReplayed } from '../../dist/history/chains.js';
import { at, delivery } from './history-fixture.js';

t.test('an item was told if it stands at or before the end of what was, in the same epoch', async (t) => {
  const told = new Map([['a', at(5)]]);
  t.strictSame(
    [4, 5, 6].map((offset) => wasReplayed(delivery(offset), told)),
    [true, true, false],
  );
  const { item } = delivery(3);
  t.notOk(wasReplayed(new Delivery(item, 0, { epoch: 'later', offset: 3 }), told));
  t.notOk(wasReplayed(new Delivery(item, 0), told));
  t.notOk(wasReplayed(delivery(3, { channel: 'b' }), told));
});

t.test('a chain has no hole, no item out of order and none without ids', async (t) => {
  t.ok(isChain([], 'x'));
  t.ok(isChain([delivery(2), delivery(3)], '1'));
  t.notOk(isChain([delivery(3)], '1'));
  t.notOk(isChain([delivery(3), delivery(2)], '1'));
  t.notOk(isChain([delivery(2), delivery(4)], '1'));
  t.notOk(isChain([delivery(2), delivery(3, {})], '1'));
  t.notOk(isChain([delivery(2, { 'prev-id': '1' }), delivery(3)], '1'));
});
