import t from 'tap';
import { Memory, type MemoryUse } from '../../dist/runtime/memory.js';
import { ManualClock } from '../kit/manual-clock.js';

const CALM: MemoryUse = { resident: 10, residentMax: 100, heap: 10, heapMax: 100 };

t.test('memory is short from its share on, of the resident set or of the heap', async (t) => {
  const cases: readonly (readonly [use: Partial<MemoryUse>, isShort: boolean])[] = [
    [{}, false],
    [{ resident: 80 }, false],
    [{ resident: 81 }, true],
    [{ heap: 81 }, true],
    [{ resident: 81, residentMax: 200 }, false],
  ];
  for (const [use, isShort] of cases) {
    t.equal(new Memory(0.8, new ManualClock(), () => ({ ...CALM, ...use })).isShort, isShort, JSON.stringify(use));
  }
});

t.test('it is measured at most every 100 ms, and found calm again', async (t) => {
  const clock = new ManualClock();
  let [resident, measured] = [90, 0];
  const memory = new Memory(0.8, clock, () => {
    measured++;
    return { ...CALM, resident };
  });
  for (let i = 0; i < 100; i++) t.equal(memory.isShort, true);
  resident = 10;
  await clock.advance(99);
  t.equal(memory.isShort, true);
  t.equal(measured, 1);
  await clock.advance(1);
  t.equal(memory.isShort, false);
});

t.test('without a share nothing is measured', async (t) => {
  const memory = new Memory(0, new ManualClock(), () => {
    throw new Error('measured');
  });
  t.equal(memory.isShort, false);
});

t.test('of this process: nearly nothing is too much, and all of it is not in use', async (t) => {
  const clock = new ManualClock();
  t.equal(Memory.ofProcess(1e-9, clock, 1).isShort, true);
  t.equal(Memory.ofProcess(1, clock, 1).isShort, false);
});
