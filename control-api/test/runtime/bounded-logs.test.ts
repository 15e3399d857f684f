/** Floods of warnings, and what is left of them. */
import t from 'tap';
import { CAUSE_MS, CAUSES_MAX, CauseLog, PacedLog, WINDOW_LINES, WINDOW_MS } from '../../dist/runtime/bounded-logs.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingLog } from '../recorder.js';

function pacedFixture() {
  const log = new RecordingLog();
  const clock = new ManualClock();
  return { log, clock, paced: new PacedLog(log, clock) };
}

t.test('warnings and errors beyond WINDOW_LINES are counted, and the count is logged once', async (t) => {
  const { log, clock, paced } = pacedFixture();
  for (let i = 0; i < 5 * WINDOW_LINES; i += 1) {
    paced.warn({ i }, 'w');
    paced.error({ i }, 'e');
  }
  t.equal(log.lines.length, WINDOW_LINES);
  clock.advance(WINDOW_MS);
  t.equal(log.lines.length, WINDOW_LINES + 1);
  t.match(log.lines.at(-1), { level: 'warn', fields: { leftOut: 9 * WINDOW_LINES } });
  paced.warn({}, 'later');
  t.match(log.lines.at(-1), { message: 'later' });
});

t.test('below the limit there is no such line, and no timer outlives its window', async (t) => {
  const { log, clock, paced } = pacedFixture();
  for (let i = 0; i < WINDOW_LINES; i += 1) paced.warn({ i }, 'w');
  clock.advance(WINDOW_MS);
  t.equal(log.lines.length, WINDOW_LINES);
  t.equal(clock.pending, 0);
});

t.test('debug and info lines pass, and a child has a window of its own', async (t) => {
  const { log, paced } = pacedFixture();
  for (let i = 0; i < 2 * WINDOW_LINES; i += 1) paced.warn({ i }, 'w');
  paced.debug({}, 'd');
  paced.info({}, 'i');
  paced.child('part').warn({}, 'c');
  t.strictSame(
    log.lines.slice(WINDOW_LINES).map(({ message }) => message),
    ['d', 'i', 'c'],
  );
});

function causeFixture() {
  const log = new RecordingLog();
  const clock = new ManualClock();
  return { log, clock, causes: new CauseLog(log, clock) };
}

t.test(
  'a cause is logged at once, and while it goes on once in CAUSE_MS with its latest case and its number',
  async (t) => {
    const { log, clock, causes } = causeFixture();
    for (let i = 0; i < 10; i++) causes.warn('a', { i }, `case ${i}`);
    causes.info('b', { other: true }, 'another');
    t.match(log.lines, [
      { level: 'warn', fields: { i: 0 }, message: 'case 0' },
      { level: 'info', fields: { other: true }, message: 'another' },
    ]);
    clock.advance(CAUSE_MS);
    t.match(log.lines.slice(2), [{ level: 'warn', fields: { i: 9, again: 9 }, message: 'case 9' }]);
    causes.warn('a', {}, 'case 10');
    t.equal(log.lines.length, 3, 'logged within this second already');
    clock.advance(CAUSE_MS);
    t.match(log.lines.slice(3), [{ fields: { again: 1 }, message: 'case 10' }]);
  },
);

t.test('what has stopped for CAUSE_MS is news again, and leaves no timer behind', async (t) => {
  const { log, clock, causes } = causeFixture();
  causes.warn('a', {}, 'first');
  clock.advance(CAUSE_MS);
  t.equal(clock.pending, 0);
  causes.warn('a', {}, 'second');
  t.strictSame(
    log.lines.map(({ message }) => message),
    ['first', 'second'],
  );
});

t.test('of more than CAUSES_MAX causes at a time only the number is logged', async (t) => {
  const { log, clock, causes } = causeFixture();
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
