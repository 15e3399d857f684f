/** The same trouble again and again, and what the log says of it. */
import t from 'tap';
import { CAUSE_MS, CAUSES_MAX, CauseLog } from '../../dist/runtime/cause-log.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingLog } from '../recorder.js';

function fixture() {
  const log = new RecordingLog();
  const clock = new ManualClock();
  return { log, clock, causes: new CauseLog(log, clock) };
}

t.test(
  'a cause is told at once, and while it goes on once in CAUSE_MS with its latest case and its number',
  async (t) => {
    const { log, clock, causes } = fixture();
    for (let i = 0; i < 10; i++) causes.warn('a', { i }, `case ${i}`);
    causes.info('b', { other: true }, 'another');
    t.match(log.lines, [
      { level: 'warn', fields: { i: 0 }, message: 'case 0' },
      { level: 'info', fields: { other: true }, message: 'another' },
    ]);
    clock.advance(CAUSE_MS);
    t.match(log.lines.slice(2), [{ level: 'warn', fields: { i: 9, again: 9 }, message: 'case 9' }]);
    causes.warn('a', {}, 'case 10');
    t.equal(log.lines.length, 3, 'told within this second already');
    clock.advance(CAUSE_MS);
    t.match(log.lines.slice(3), [{ fields: { again: 1 }, message: 'case 10' }]);
  },
);

t.test('what has stopped for CAUSE_MS is news again, and leaves no timer behind', async (t) => {
  const { log, clock, causes } = fixture();
  causes.warn('a', {}, 'first');
  clock.advance(CAUSE_MS);
  t.equal(clock.pending, 0);
  causes.warn('a', {}, 'second');
  t.strictSame(
    log.lines.map(({ message }) => message),
    ['first', 'second'],
  );
});

t.test('of more than CAUSES_MAX causes at a time only the number is told', async (t) => {
  const { log, clock, causes } = fixture();
  for (let i = 0; i < CAUSES_MAX + 50; i++) causes.warn(`cause ${i}`, {}, 'line');
  t.equal(log.lines.length, CAUSES_MAX);
  clock.advance(CAUSE_MS);
  t.equal(log.lines.length, CAUSES_MAX + 1);
  t.match(log.lines.at(-1), { level: 'warn', fields: { leftOut: 50, within: CAUSE_MS } });
  clock.advance(CAUSE_MS);
  t.equal(clock.pending, 0);
  causes.warn('one more', {}, 'there is room again');
  t.match(log.lines.at(-1), { message: 'there is room again' });
});
