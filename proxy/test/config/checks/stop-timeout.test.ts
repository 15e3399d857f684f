/** `HOLDFAST_STOP_TIMEOUT`: a stop that would be cut short is said at `check-config` and at the start. */
import t from 'tap';
import { load } from '../fixture.js';

/** The warnings of a node that stops over 5 s and 30 s, and gives requests 10 s. */
const warningsWith = (stopTimeout: string, options: Readonly<Record<string, string>> = {}) =>
  load(t, {
    env: {
      HOLDFAST_STOP_TIMEOUT: stopTimeout,
      HOLDFAST_ROUTES: '* a:1',
      HOLDFAST_SHUTDOWN_DELAY: '5s',
      HOLDFAST_SHUTDOWN_WINDOW: '30s',
      HOLDFAST_SHUTDOWN_REQUESTS: '10s',
      ...options,
    },
  }).warnings;

t.test('one that is long enough, or has no limit, is nothing to be warned of', async (t) => {
  for (const text of ['51', '51s', '2m', 'infinity', '']) t.strictSame(warningsWith(text), [], text);
  t.strictSame(warningsWith('36500ms', { HOLDFAST_SHUTDOWN_DELAY: '0', HOLDFAST_SHUTDOWN_WINDOW: '20' }), []);
});

t.test('one that ends before the drain does', async (t) => {
  const text =
    'HOLDFAST_STOP_TIMEOUT: 40.9 s are too short: shutdown_delay (5 s), shutdown_window (30 s) and 6 s for the end take 41 s, so that the node is killed before its drain is over';
  t.strictSame(warningsWith('40.9s'), [text]);
});

t.test('one that leaves requests less time than they have', async (t) => {
  const text =
    'HOLDFAST_STOP_TIMEOUT: 41 s leave requests that are under way less than shutdown_requests (10 s) after the drain, which takes 41 s: they may be cut when the node is killed';
  t.strictSame(warningsWith('41'), [text]);
});

t.test('one that is no duration is not checked, and said to be so', async (t) => {
  for (const text of ['1m30s', '-1', 'soon', 'x'.repeat(10_000)]) {
    const [warning = '', ...others] = warningsWith(text);
    t.match(warning, /^HOLDFAST_STOP_TIMEOUT: expected a duration such as 45, 45s or infinity, got "/);
    t.ok(warning.length < 400);
    t.strictSame(others, []);
  }
});
