import fc from 'fast-check';
import t from 'tap';
import { ChannelPatterns } from '../../dist/auth/channel-patterns.js';

/** What a pattern means, by the expression that it stands for. */
function expected(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}

t.test('stars stand for any characters or none', async (t) => {
  for (const [pattern, name, has] of [
    ['orders-*', 'orders-7', true],
    ['orders-*', 'orders-', true],
    ['orders-*', 'orders', false],
    ['orders-*', 'xorders-7', false],
    ['user-*-inbox', 'user-1-inbox', true],
    ['user-*-inbox', 'user-inbox', false],
    ['user-*-inbox', 'user--inbox', true],
    ['user-*-inbox', 'user-1-inbox-2', false],
    ['a', 'a', true],
    ['a', 'ab', false],
    ['*', '', true],
    ['a.c', 'abc', false],
    ['a*a', 'a', false],
    ['A*', 'a', false],
  ] as const)
    t.equal(new ChannelPatterns([pattern]).has(name), has, `${pattern} ${name}`);
});

t.test('a set has what one of its patterns has', async (t) => {
  const set = new ChannelPatterns(['a', 'b-*']);
  t.same(
    ['a', 'b-1', 'c', 'b'].map((name) => set.has(name)),
    [true, true, false, false],
  );
  t.notOk(new ChannelPatterns([]).has('a'));
});

t.test('as the regular expression that a pattern stands for', async () => {
  const text = fc.stringMatching(/^[ab*]{0,8}$/);
  fc.assert(
    fc.property(text, fc.stringMatching(/^[ab]{0,10}$/), (pattern, name) => {
      return new ChannelPatterns([pattern]).has(name) === expected(pattern, name);
    }),
    { numRuns: 5_000 },
  );
});

t.test('takes no longer for a hostile pattern', async (t) => {
  const set = new ChannelPatterns([`${'a*'.repeat(500)}b`]);
  const started = performance.now();
  for (let i = 0; i < 100; i++) set.has(`${'a'.repeat(1_000)}c`);
  t.ok(performance.now() - started < 2_000);
});
