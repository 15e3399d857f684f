/** The limits of bodies by themselves, on a clock of the test's. */
import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { BodyLimits } from '../../dist/clients/body-limits.js';
import type { BodySink, ClientRequest } from '../../dist/edge/port.js';
import type { Route } from '../../dist/routes/route.js';
import { StoppedClock } from '../kit/stopped-clock.js';

/** A body of 8 s windows at 10 bytes per second, and what becomes of it. */
function fixture(requestSizeMax = 0) {
  const clock = new StoppedClock();
  const events: string[] = [];
  const limits = new BodyLimits(
    { requestSizeMax, requestMinRate: 10, requestMinRateWindow: 8_000 },
    { clock, faults: uncontained, limited: (limit) => events.push(limit) },
  );
  let source: BodySink | undefined;
  const from = { length: undefined, read: (sink: BodySink) => (source = sink), pause() {}, resume() {} };
  const request = { id: '1', body: from } as unknown as ClientRequest;
  const body = limits.limit(request, {} as Route, ({ code }) => events.push(code));
  if (body === undefined) throw new Error('no body');
  let bytes = 0;
  const read = () =>
    body.read({
      onData: (chunk) => {
        bytes += chunk.length;
      },
      onEnd: () => events.push('end'),
      onAbort: () => events.push('abort'),
    });
  return { clock, events, body, read, comes: (n: number) => source?.onData(Buffer.alloc(n)), bytes: () => bytes };
}

const SLOW = ['request_min_rate', 'ERR_REQUEST_TOO_SLOW', 'abort'];

t.test('a window with one byte too few refuses the body, one with enough does not', async (t) => {
  for (const [bytes, isSlow] of [
    [80, false],
    [79, true],
  ] as const) {
    const { clock, events, read, comes } = fixture();
    read();
    comes(bytes);
    for (let second = 0; second < 7; second++) clock.advance(1_000);
    t.strictSame(events, []);
    clock.advance(1_000);
    t.strictSame(events, isSlow ? SLOW : []);
  }
});

t.test('time in which its reader takes nothing does not count', async (t) => {
  const { clock, events, read, body } = fixture();
  clock.advance(20_000);
  read();
  clock.advance(2_000);
  body.pause();
  for (let look = 0; look < 20; look++) clock.advance(2_000);
  body.resume();
  clock.advance(2_000);
  clock.advance(2_000);
  t.strictSame(events, []);
  clock.advance(2_000);
  t.strictSame(events, SLOW);
});

t.test('nor does a pause of the whole process', async (t) => {
  const { clock, events, read } = fixture();
  read();
  clock.stop(60_000);
  clock.advance(2_000);
  t.strictSame(events, []);
  for (let look = 0; look < 4; look++) clock.advance(2_000);
  t.strictSame(events, SLOW);
});

t.test('what comes after a refusal reaches nobody', async (t) => {
  const { events, read, comes, bytes } = fixture(100);
  read();
  comes(100);
  comes(1);
  comes(50);
  t.equal(bytes(), 100);
  t.strictSame(events, ['request_size_max', 'ERR_REQUEST_BODY_TOO_LARGE', 'abort']);
});

t.test('a body that is released has no limits any more', async (t) => {
  const { clock, events, read, body, comes, bytes } = fixture(100);
  read();
  body.release();
  comes(101);
  for (let look = 0; look < 10; look++) clock.advance(2_000);
  t.strictSame(events, []);
  t.equal(bytes(), 101);
});
