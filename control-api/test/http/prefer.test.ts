/** Reading Prefer. */
import t from 'tap';
import { preferredWait } from '../../dist/http/negotiate.js';

t.test('wait is read in milliseconds, among other preferences, as token or quoted', async (t) => {
  for (const [field, ms] of [
    ['wait=500', 500],
    ['respond-async, wait=20', 20],
    ['WAIT = "20" ; x=y, handling=lenient', 20],
    ['wait=1, wait=2', 1],
    ['x="a", wait=999999999', 999_999_999],
  ] as const)
    t.equal(preferredWait(field), ms, field);
  t.equal(preferredWait(['respond-async', 'wait=7']), 7);
});

t.test('what is no wait, or none that can be waited for, is none', async (t) => {
  for (const field of [
    '',
    'wait',
    'wait=',
    'wait=0',
    'wait=-1',
    'wait=1.5',
    'wait=1s',
    'await=5',
    'wait=1 2',
    'wait="1',
    'wait=9999999999',
  ])
    t.equal(preferredWait(field), undefined, field);
  t.equal(preferredWait(undefined), undefined);
  const long = `${', '.repeat(5_000)}wait${' '.repeat(20_000)}`;
  t.equal(preferredWait(long), undefined, 'however long it is');
});
