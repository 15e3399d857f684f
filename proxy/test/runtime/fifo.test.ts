import fc from 'fast-check';
import t from 'tap';
import { Fifo } from '../../dist/runtime/fifo.js';

t.test('what is pushed comes out once, in order, however pushes and shifts are mixed', async () => {
  const step = fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: -3_000, max: -1 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      let next = 0;
      for (const count of steps) {
        for (let i = 0; i < count; i++) {
          fifo.push(next);
          model.push(next++);
        }
        for (let i = 0; i > count; i--) if (fifo.shift() !== model.shift()) return false;
        if (fifo.length !== model.length) return false;
      }
      return true;
    }),
  );
});

t.test('a cleared queue is empty, and can be used again', async (t) => {
  const fifo = new Fifo<string>();
  fifo.push('a');
  fifo.push('b');
  t.equal(fifo.shift(), 'a');
  fifo.clear();
  t.equal(fifo.length, 0);
  t.equal(fifo.shift(), undefined);
  fifo.push('c');
  t.equal(fifo.shift(), 'c');
});
