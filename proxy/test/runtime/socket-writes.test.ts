import { Writable } from 'node:stream';
import t from 'tap';
import { queuedWrites } from '../../dist/runtime/node-internals/socket-writes.js';

t.test('counts the writes behind the one that is under way', async (t) => {
  let done: () => void = () => {};
  const stream = new Writable({
    write(_chunk, _encoding, callback) {
      done = callback;
    },
  });
  t.equal(queuedWrites(stream), 0);
  stream.write('a');
  t.equal(queuedWrites(stream), 0, 'it is not in the queue any more');
  for (let i = 0; i < 1_000; i++) stream.write('b');
  t.equal(queuedWrites(stream), 1_000);
  done();
  t.equal(queuedWrites(stream), 999);
});

t.test('a version of node that does not tell has none', async (t) => {
  t.equal(queuedWrites({} as Writable), 0);
  t.equal(queuedWrites({ _writableState: {} } as unknown as Writable), 0);
});
