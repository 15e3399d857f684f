import t from 'tap';
import { Retry } from '../../dist/runtime/retry.js';

t.test('five repeats, after 1, 2, 4, 8 and 16 seconds, then none', async (t) => {
  const retry = new Retry(() => 0);
  const delays = Array.from({ length: 7 }, () => retry.next());
  t.strictSame(delays, [1_000, 2_000, 4_000, 8_000, 16_000, undefined, undefined]);
});

t.test('each delay is up to a second longer, by chance', async (t) => {
  const numbers = [0.9999, 0.5, 0, 0.25, 0.001];
  const retry = new Retry(() => numbers.shift() ?? 0);
  t.strictSame(
    Array.from({ length: 5 }, () => retry.next()),
    [1_999, 2_500, 4_000, 8_250, 16_001],
  );
});
