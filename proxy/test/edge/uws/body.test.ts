import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { KeepAliveTicker, UwsBody } from '../../../dist/edge/uws/body.js';
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
