/** Revocations in memory. */
import t from 'tap';
import { Revocations, readRevocations } from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';

t.test('tokens of a user that were issued before the time, until it ends', async (t) => {
  const clock = new ManualClock();
  const until = clock.wall() + 1_000;
  const revocations = new Revocations(clock);
  t.equal(revocations.add({ sub: 'u', before: 100, until }), 'new');
  t.equal(revocations.add({ sub: 'u', before: 100, until }), 'known');
  t.equal(revocations.add({ sub: 'u', before: 50, until }), 'known', 'an earlier one takes nothing back');
  t.strictSame(
    [99, 100, 0].map((issuedAt) => revocations.covers('u', issuedAt)),
    [true, false, true],
  );
  t.equal(revocations.covers('v', 0), false);
  t.equal(revocations.add({ sub: 'u', before: 200, until }), 'new');
  t.equal(revocations.covers('u', 150), true);
  t.strictSame(revocations.list(), [{ sub: 'u', before: 200, until }]);
  clock.advance(1_000);
  t.equal(revocations.covers('u', 150), false);
  t.strictSame(revocations.list(), []);
  t.equal(revocations.add({ sub: 'u', before: 300, until }), 'known', 'one that has ended says nothing');
});

t.test('so many users and no more, until some have ended', async (t) => {
  const clock = new ManualClock();
  const revocations = new Revocations(clock);
  const until = clock.wall() + 1_000;
  for (let i = 0; i < 100_000; i++) revocations.add({ sub: `u${i}`, before: 1, until });
  t.equal(revocations.add({ sub: 'one more', before: 1, until }), 'full');
  t.equal(await revocations.keep({ sub: 'one more', before: 1, until }), false);
  t.equal(revocations.add({ sub: 'u5', before: 2, until }), 'new', 'of a user that is there already');
  clock.advance(1_000);
  t.equal(revocations.add({ sub: 'one more', before: 1, until: until + 1_000 }), 'new');
});

t.test('what another process says is looked at', async (t) => {
  const good = { sub: 'u', before: 1, until: 2 };
  const bad = [null, 1, {}, { ...good, sub: '' }, { ...good, sub: 'x'.repeat(1_025) }, { ...good, until: 'x' }];
  t.strictSame(readRevocations([...bad, good]), [good]);
  t.strictSame(readRevocations(good), []);
});
