/** Places for requests, by host and in all. */
import t from 'tap';
import { HostSlots } from '../../dist/callbacks/host-slots.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Takes places, and notes in which order they come. */
function taking(slots: HostSlots) {
  const order: string[] = [];
  return {
    order,
    take: async (host: string, name: string) => {
      await slots.enter(host);
      order.push(name);
    },
  };
}

t.test('to one host so many at a time; others do not wait for it', async (t) => {
  const slots = new HostSlots(2);
  const { order, take } = taking(slots);
  for (const name of ['a1', 'a2', 'a3', 'a4']) void take('a', name);
  void take('b', 'b1');
  await turn();
  t.strictSame(order, ['a1', 'a2', 'b1']);
  slots.leave('a');
  await turn();
  t.strictSame(order.slice(3), ['a3'], 'in turn');
  for (let i = 0; i < 3; i++) slots.leave('a');
  slots.leave('b');
  await turn();
  t.equal(order.length, 5);
  t.equal(slots.underWay, 0);
});

t.test('in all so many at a time: hosts get the next place in turns', async (t) => {
  const slots = new HostSlots(2, 2);
  const { order, take } = taking(slots);
  for (const name of ['a1', 'a2', 'a3', 'a4']) void take('a', name);
  for (const name of ['b1', 'b2']) void take('b', name);
  await turn();
  t.strictSame(order, ['a1', 'a2']);
  for (let i = 0; i < 2; i++) {
    slots.leave('a');
    await turn();
  }
  t.strictSame(order.slice(2).sort(), ['a3', 'b1']);
  for (const host of ['a', 'b', 'a', 'b']) {
    slots.leave(host);
    await turn();
  }
  t.equal(order.length, 6);
  t.equal(slots.underWay, 0);
});
