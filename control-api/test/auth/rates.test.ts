import t from 'tap';
import { KeyRates } from '../../dist/auth/rates.js';

t.test('twice the rate at once, then the rate', async (t) => {
  const rates = new KeyRates();
  for (let i = 0; i < 6; i++) t.equal(rates.spend('a', 3, 1, 0), undefined, `item ${i + 1}`);
  t.same(rates.spend('a', 3, 1, 0), { burst: 6, left: 0, retryAfter: 1 });
  t.ok(rates.spend('a', 3, 1, 333), 'a ms early');
  t.equal(rates.spend('a', 3, 1, 334), undefined);
  t.ok(rates.spend('a', 3, 1, 334));
  t.equal(rates.spend('a', 3, 6, 10_000), undefined, 'the whole burst after a pause, and no more');
  t.ok(rates.spend('a', 3, 1, 10_000));
});

t.test('a second has the rate, measured over a minute', async (t) => {
  const rates = new KeyRates();
  let taken = 0;
  for (let now = 0; now < 60_000; now += 10) if (rates.spend('a', 20, 1, now) === undefined) taken++;
  t.equal(taken, 20 * 60 + 40 - 1);
});

t.test('all items of a publish or none; a refusal costs nothing', async (t) => {
  const rates = new KeyRates();
  t.equal(rates.spend('a', 10, 15, 0), undefined);
  t.match(rates.spend('a', 10, 6, 0), { left: 5, retryAfter: 1 });
  t.equal(rates.spend('a', 10, 5, 0), undefined);
});

t.test('more items than the burst never pass', async (t) => {
  const rates = new KeyRates();
  t.same(rates.spend('a', 10, 21, 0), { burst: 20, left: 20, retryAfter: 1 });
  t.match(rates.spend('a', 10, 1_000_000, 0), { burst: 20 });
  t.equal(rates.spend('a', 10, 20, 0), undefined);
});

t.test('a publish without items counts as one, and keys do not count for each other', async (t) => {
  const rates = new KeyRates();
  t.equal(rates.spend('a', 1, 0, 0), undefined);
  t.equal(rates.spend('a', 1, 0, 0), undefined);
  t.ok(rates.spend('a', 1, 0, 0));
  t.equal(rates.spend('b', 1, 1, 0), undefined);
  rates.keep(new Set(['b']));
  t.equal(rates.spend('a', 1, 2, 0), undefined, 'forgotten');
});
