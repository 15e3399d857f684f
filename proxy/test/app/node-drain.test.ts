/** The steps of a drain, and how it is taken back. */
import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { RecordingLog } from '../../../control-api/dist-test/recorder.js';
import { NodeDrain } from '../../dist/app/drain/node-drain.js';
import { ManualClock } from '../kit/manual-clock.js';

/** A drain, and what it asks of what serves clients; each spread lasts until `spreadEnds` is called, or `rest`. */
function fixture({ delay = 5_000, window = 20_000 } = {}) {
  const clock = new ManualClock();
  const log = new RecordingLog();
  const asked: string[] = [];
  let end = () => {};
  const serving = {
    holds: 12_345,
    load: { connections: 12_400, channels: 1 },
    closeAfterAnswers: (closes: boolean) => void asked.push(`close ${closes}`),
    stopListening: () => void asked.push('stop listening'),
    spread: (ms: number) => {
      asked.push(`spread ${ms}`);
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    },
    rest: () => {
      asked.push('rest');
      end();
    },
  };
  const delays = { shutdownDelay: delay, shutdownWindow: window };
  const drain = new NodeDrain({ delays, serving: () => serving, clock, faults: uncontained, log });
  const settled = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const spreadEnds = () => {
    end();
    return settled();
  };
  const advance = (ms: number) => {
    clock.advance(ms);
    return settled();
  };
  /** Whether it has come by now. */
  const isOver = async (work: Promise<unknown>) => {
    let over = false;
    void work.then(() => {
      over = true;
    });
    await settled();
    return over;
  };
  return { clock, log, asked, drain, spreadEnds, advance, isOver };
}

t.test('after the delay what is held ends over the window; then what comes ends every second', async (t) => {
  const { drain, asked, log, advance, spreadEnds, isOver } = fixture();
  t.strictSame(drain.state, { state: 'serving', holds: 12_345, connections: 12_400 });
  t.notOk(drain.isUnderWay);
  const over = drain.begin();
  t.ok(drain.isUnderWay);
  t.strictSame([drain.state.state, ...asked], ['draining', 'close true']);
  t.match(log.lines, [{ message: 'draining 12,345 holds over 20 s, after 5 s', fields: { holds: 12_345 } }]);
  await advance(4_999);
  t.equal(asked.length, 1);
  await advance(1);
  t.strictSame(asked, ['close true', 'spread 20000']);
  t.notOk(await isOver(over));
  await spreadEnds();
  t.ok(await isOver(over));
  t.equal(drain.state.state, 'drained');
  t.strictSame(asked, ['close true', 'spread 20000', 'spread 20000']);
  await spreadEnds();
  await advance(999);
  t.equal(asked.length, 3);
  await advance(1);
  t.equal(asked.length, 4);
});

t.test('begun twice it is one', async (t) => {
  const { drain, asked, log, advance } = fixture();
  const [first, second] = [drain.begin(), drain.begin()];
  await advance(5_000);
  void drain.begin();
  t.strictSame(asked, ['close true', 'spread 20000']);
  t.equal(log.lines.length, 1);
  t.ok(drain.takeBack());
  await Promise.all([first, second]);
});

for (const [when, steps] of [
  ['in the delay', 0],
  ['in the window', 1],
  ['when it is over', 2],
] as const) {
  t.test(`taken back ${when} the node serves as before, and can be drained again`, async (t) => {
    const { clock, drain, asked, advance, spreadEnds, isOver } = fixture();
    const over = drain.begin();
    if (steps > 0) await advance(5_000);
    if (steps > 1) await spreadEnds();
    const before = asked.length;
    t.ok(drain.takeBack());
    t.ok(await isOver(over));
    t.notOk(drain.isUnderWay);
    t.equal(drain.state.state, 'serving');
    t.strictSame(asked.slice(before), ['rest', 'close false']);
    await advance(60_000);
    t.equal(asked.length, before + 2, 'nothing more ends');
    t.equal(clock.pending, 0);
    t.ok(drain.takeBack(), 'once more changes nothing');
    t.equal(asked.length, before + 2);
    void drain.begin();
    await advance(5_000);
    t.equal(asked.at(-1), 'spread 20000');
  });

  t.test(`the node's end ${when} goes on from there, and is not taken back`, async (t) => {
    const { clock, drain, asked, advance, spreadEnds, isOver } = fixture();
    void drain.begin();
    if (steps > 0) await advance(5_000);
    if (steps > 1) await spreadEnds();
    const end = drain.finish();
    t.equal(drain.state.state, 'stopping');
    t.notOk(drain.takeBack());
    void drain.begin();
    if (steps === 0) await advance(5_000);
    if (steps < 2) {
      t.notOk(await isOver(end));
      const rest = ['stop listening', 'spread 20000'];
      t.strictSame(asked, ['close true', ...(steps === 0 ? rest : rest.reverse())]);
      await spreadEnds();
    }
    t.ok(asked.includes('stop listening'));
    t.ok(await isOver(end));
    await advance(60_000);
    t.equal(clock.pending, 0);
  });
}

t.test('the end of a node goes through delay and window; without them it is at once', async (t) => {
  const slow = fixture();
  const end = slow.drain.finish();
  await slow.advance(4_999);
  t.strictSame(slow.asked, ['close true']);
  await slow.advance(1);
  t.strictSame(slow.asked, ['close true', 'stop listening', 'spread 20000']);
  t.notOk(await slow.isOver(end));
  await slow.spreadEnds();
  t.ok(await slow.isOver(end));
  const quick = fixture({ delay: 0, window: 0 });
  t.ok(await quick.isOver(quick.drain.finish()));
  t.strictSame([...quick.asked, ...quick.log.lines], []);
  await quick.drain.begin();
  t.strictSame(quick.asked, [], 'nor does a drain begin then');
});

t.test('without delay and window a drain ends what is held at once', async (t) => {
  const { drain, asked, spreadEnds } = fixture({ delay: 0, window: 0 });
  void drain.begin();
  t.strictSame(asked, ['close true', 'spread 0']);
  await spreadEnds();
  t.equal(drain.state.state, 'drained');
});
