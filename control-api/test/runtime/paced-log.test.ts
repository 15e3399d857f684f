/** A flood of warnings, and what is left of it. */
import t from 'tap';
import { PacedLog, WINDOW_LINES, WINDOW_MS } from '../../dist/runtime/paced-log.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingLog } from '../recorder.js';

function fixture() {
  const log = new RecordingLog();
  const clock = new ManualClock();
  return { log, clock, paced: new PacedLog(log, clock) };
}

t.test('warnings and errors beyond WINDOW_LINES are counted, and the count is told once', async (t) => {
  const { log, clock, paced } = fixture();
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
  const { log, clock, paced } = fixture();
  for (let i = 0; i < WINDOW_LINES; i += 1) paced.warn({ i }, 'w');
  clock.advance(WINDOW_MS);
  t.equal(log.lines.length, WINDOW_LINES);
  t.equal(clock.pending, 0);
});

t.test('debug and info lines pass, and a child has a window of its own', async (t) => {
  const { log, paced } = fixture();
  for (let i = 0; i < 2 * WINDOW_LINES; i += 1) paced.warn({ i }, 'w');
  paced.debug({}, 'd');
  paced.info({}, 'i');
  paced.child('part').warn({}, 'c');
  t.strictSame(
    log.lines.slice(WINDOW_LINES).map(({ message }) => message),
    ['d', 'i', 'c'],
  );
});
