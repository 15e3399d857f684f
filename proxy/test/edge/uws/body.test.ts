import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { KeepAliveTicker, TICK_MS, TICKS_OF_TURN, UwsBody } from '../../../dist/edge/uws/body.js';
import type { UwsAnswer } from '../../../dist/edge/uws/library.js';
import { ManualClock } from '../../kit/manual-clock.js';

t.test('a client that is read on while it is held back is cut when more than 64 MiB of its body wait', async (t) => {
  let onData: (chunk: ArrayBuffer, isLast: boolean) => void = () => {};
  let closed = false;
  let paused = false;
  // The library itself does so only if its client is fast enough.
  const answer = {
    onData: (run: typeof onData) => {
      onData = run;
    },
    pause: () => {
      paused = true;
    },
    close: () => {
      closed = true;
      body.break();
    },
  } as unknown as UwsAnswer;
  const body: UwsBody = new UwsBody(answer, 2 ** 30, new KeepAliveTicker(new ManualClock(), uncontained), {
    called() {},
    faulted: (error) => {
      throw error;
    },
  });
  const ended = new Promise((resolve) => {
    body.read({ onData: () => t.fail('it is paused'), onEnd: () => resolve('end'), onAbort: () => resolve('abort') });
  });
  body.pause();
  for (let i = 0; i < 64; i++) onData(new ArrayBuffer(2 ** 20), false);
  t.strictSame([paused, closed], [true, false]);
  onData(new ArrayBuffer(1), false);
  t.equal(closed, true);
  t.equal(await ended, 'abort');
});

t.test('many transfers are ticked in several turns, each once, without those that are over meanwhile', async (t) => {
  const clock = new ManualClock();
  const ticker = new KeepAliveTicker(clock, uncontained);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const ticks: number[] = [];
  const transfers = Array.from({ length: 2 * TICKS_OF_TURN + 1 }, (_, i) => ({ tick: () => void ticks.push(i) }));
  for (const transfer of transfers) ticker.add(transfer);
  clock.advance(TICK_MS);
  t.strictSame(ticks, [...Array(TICKS_OF_TURN).keys()], 'no more than so many at once');
  const over = transfers[TICKS_OF_TURN] as (typeof transfers)[number];
  ticker.delete(over);
  // While they are ticked, there is no second timer.
  const late = { tick: () => void ticks.push(-1) };
  ticker.add(late);
  clock.advance(TICK_MS);
  await turn();
  await turn();
  await turn();
  const rest = [...transfers.keys()].filter((i) => i !== TICKS_OF_TURN);
  t.strictSame(ticks, rest);
  clock.advance(TICK_MS);
  await turn();
  await turn();
  t.strictSame(ticks, [...rest, ...rest, -1]);
  for (const transfer of [...transfers, late]) ticker.delete(transfer);
  clock.advance(TICK_MS);
  clock.advance(TICK_MS);
  await turn();
  t.equal(ticks.length, 2 * rest.length + 1);
});
