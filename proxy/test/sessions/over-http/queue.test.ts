import { contentBytes, type WsEvent } from '@holdfast/grip';
import fc from 'fast-check';
import t from 'tap';
import { HttpQueue, QUEUE_HIGH_BYTES } from '../../../dist/sessions/over-http/queue.js';

const text = (content: string): WsEvent => ({ type: 'TEXT', content: Buffer.from(content) });
const bytesOf = (events: readonly WsEvent[]) => Buffer.concat(events.map(({ content }) => content ?? Buffer.alloc(0)));

t.test('whatever an origin accepts of each request, it gets every byte once and in order', async () => {
  const step = fc.record({
    add: fc.array(fc.string({ maxLength: 6 }), { maxLength: 4 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.boolean(), (steps, one) => {
      const queue = new HttpQueue();
      const sent: Buffer[] = [];
      const taken: Buffer[] = [];
      for (const { add, share } of steps) {
        for (const content of add) {
          queue.add(text(content));
          sent.push(Buffer.from(content));
        }
        const offered = queue.offer(one);
        const offer = bytesOf(offered);
        if (queue.replayed > Buffer.concat(sent).length) return false;
        // At least a byte: an origin that makes no progress on a request that cannot grow ends the session.
        const accepted = offer.length === 0 ? undefined : Math.max(1, Math.floor(share * offer.length));
        queue.accept(accepted);
        taken.push(offer.subarray(0, accepted ?? offer.length));
        if (queue.replayed !== offer.length - (accepted ?? offer.length)) return false;
      }
      while (queue.hasNews || queue.bytes > 0) {
        taken.push(bytesOf(queue.offer(one)));
        queue.accept(undefined);
      }
      return Buffer.concat(taken).equals(Buffer.concat(sent));
    }),
  );
});

t.test('messages without content are bounded like any other', async (t) => {
  const queue = new HttpQueue();
  let count = 0;
  for (; !queue.full; count++) queue.add(text(''));
  t.ok(count < QUEUE_HIGH_BYTES / 10, `full after ${count}`);
  const offered = queue.offer(false);
  t.equal(contentBytes(offered), 0);
  queue.accept(0);
  t.notOk(queue.full, 'and accepted with the nothing that they hold');
});

t.test('what the origin left calls for no request of its own, until a CLOSE comes', async (t) => {
  const queue = new HttpQueue();
  queue.add(text('abc'));
  t.ok(queue.hasNews);
  queue.offer(false);
  queue.accept(1);
  t.notOk(queue.hasNews);
  t.equal(queue.replayed, 2);
  queue.close({ type: 'CLOSE' });
  t.ok(queue.hasNews);
  queue.offer(false);
  queue.accept(undefined);
  t.notOk(queue.hasNews);
});
