import t from 'tap';
import { RestartPause } from '../../../dist/app/workers/restart-pause.js';

t.test('the first restart is at once, the next ones wait longer and longer, up to half a minute', (t) => {
  const pause = new RestartPause();
  const pauses = Array.from({ length: 9 }, () => pause.next(10));
  t.strictSame(pauses, [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  t.end();
});

t.test('a worker that lasted a minute begins anew', (t) => {
  const pause = new RestartPause();
  t.strictSame([pause.next(10), pause.next(10), pause.next(60_000), pause.next(59_999)], [0, 500, 0, 500]);
  t.end();
});
