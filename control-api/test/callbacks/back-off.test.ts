/** Pauses, and what servers ask for. */
import t from 'tap';
import {
  CALLBACK_FIRST_RETRY_MS,
  CALLBACK_LAST_RETRY_MS,
  pauseAfter,
  RETRY_AFTER_MAX_MS,
  readRetryAfter,
} from '../../dist/callbacks/back-off.js';

t.test('pauses double up to the longest, and are shortened by a quarter at most', async (t) => {
  t.equal(pauseAfter(1, undefined, 0), CALLBACK_FIRST_RETRY_MS);
  t.equal(pauseAfter(2, undefined, 0), 2 * CALLBACK_FIRST_RETRY_MS);
  t.equal(pauseAfter(1, undefined, 0.999_999), (CALLBACK_FIRST_RETRY_MS * 3) / 4);
  t.equal(pauseAfter(1_000, undefined, 0), CALLBACK_LAST_RETRY_MS);
});

t.test('what the server asks for comes first, where it is longer', async (t) => {
  t.equal(pauseAfter(1, 60_000, 0), 60_000);
  t.equal(pauseAfter(4, 1, 0), 8 * CALLBACK_FIRST_RETRY_MS);
});

t.test('Retry-After is seconds or a date, and a day at most', async (t) => {
  const now = Date.UTC(2026, 10, 30, 12);
  const table: [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ['0', 0],
    ['120', 120_000],
    ['99999999', RETRY_AFTER_MAX_MS],
    ['Mon, 30 Nov 2026 12:00:30 GMT', 30_000],
    ['Mon, 30 Nov 2026 11:00:00 GMT', 0],
    ['Fri, 30 Nov 2029 12:00:00 GMT', RETRY_AFTER_MAX_MS],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['2030', 2_030_000],
    ['30 Nov 2030', undefined],
  ];
  for (const [value, expected] of table) t.equal(readRetryAfter(value, now), expected, String(value));
});
