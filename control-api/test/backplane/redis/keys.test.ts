import fc from 'fast-check';
import t from 'tap';
import {
  PARTITIONS,
  partitionOf,
  RedisKeys,
  slotOf,
  slotOfPartition,
  tagOf,
} from '../../../dist/backplane/redis/keys.js';

t.test('redis partitions: each has a tag in its own share of the slots', async (t) => {
  const shares = Array.from({ length: PARTITIONS }, (_, partition) => Math.floor(slotOfPartition(partition) / 128));
  t.strictSame(
    shares,
    Array.from({ length: PARTITIONS }, (_, partition) => partition),
  );
  // Nodes of different versions must agree.
  t.strictSame([0, 1, 64, 127].map(tagOf), ['14', '10', '16', '44']);
  t.strictSame(['', 'a', '{a}b', 'é'].map(partitionOf), [0, 7, 30, 68]);
});

t.test('redis keys: all keys of a channel lie in the slot of its partition, and no two names collide', async (t) => {
  const keys = new RedisKeys('p');
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('{', '}', ':', 'a', '1', '\ud800') }));
  fc.assert(
    fc.property(text, text, text, text, (a, i, b, j) => {
      const of = keys.channel(a);
      const all = [of.meta, of.stream, of.topic, of.id(i), of.batch('n')];
      for (const key of all) t.equal(slotOf(key), slotOfPartition(of.partition));
      const other = keys.channel(b);
      if (a !== b) t.not(other.meta, of.meta);
      if (a !== b || i !== j) t.not(other.id(j), of.id(i));
      const recover = keys.recover();
      t.notOk(all.includes(recover.meta) || all.includes(recover.stream) || all.includes(recover.topic));
    }),
    { numRuns: 300 },
  );
});

t.test('redis keys: a prefix with braces is refused', async (t) => {
  t.throws(() => new RedisKeys('a{b'), { code: 'ERR_BACKPLANE_URL' });
});
