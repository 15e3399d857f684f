import t from 'tap';
import { Descriptors } from '../../dist/runtime/descriptors.js';

/** Descriptors of which so many are open; counts how often that was asked. */
function made(limit: number, isSlow = false) {
  const state = { open: 0, counts: 0 };
  const descriptors = new Descriptors(limit, () => {
    state.counts++;
    return { open: state.open, isSlow };
  });
  return { state, descriptors };
}

t.test('an eighth of the limit is kept from clients, half of it for publishers, between bounds', async (t) => {
  for (const [limit, reserve, core, publishers, operators] of [
    [64, 16, 12, 8, 2],
    [256, 32, 24, 16, 4],
    [1_024, 128, 96, 64, 16],
    [20_000, 1_280, 1_152, 1_024, 64],
    [1_048_576, 1_280, 1_152, 1_024, 64],
  ] as const) {
    t.match(made(limit).descriptors, { reserve, core, publishers, operators }, `${limit}`);
    t.ok(publishers + operators < core, 'all of them find room');
  }
});

t.test('clients are turned away before connections to origins, and those before everything is used', async (t) => {
  const { state, descriptors } = made(256);
  const admitted = () => [descriptors.admits('client'), descriptors.admits('origin')];
  state.open = 224;
  t.strictSame(admitted(), [true, true]);
  state.open = 225;
  t.strictSame(admitted(), [false, true]);
  state.open = 232;
  t.strictSame(admitted(), [false, true]);
  state.open = 233;
  t.strictSame(admitted(), [false, false]);
  state.open = 100;
  t.strictSame(admitted(), [true, true], 'later there may be room again');
});

t.test(
  'they are counted seldom as long as there is room, and no more are admitted than there was room for',
  async (t) => {
    const { state, descriptors } = made(20_000);
    let admitted = 0;
    for (; descriptors.admits('client'); admitted++) state.open++;
    t.equal(admitted, 20_000 - 1_280 + 1, 'the connection that is asked for is not among those that are open here');
    t.ok(state.counts < 40, `${state.counts} counts`);
  },
);

t.test('where counting takes long, it is not done for each connection that is turned away', async (t) => {
  const { state, descriptors } = made(256, true);
  state.open = 256;
  for (let i = 0; i < 1_000; i++) t.notOk(descriptors.admits('client'));
  t.ok(state.counts < 100, `${state.counts} counts`);
});

t.test('where there is no limit, nothing is counted', async (t) => {
  const { state, descriptors } = made(Number.POSITIVE_INFINITY);
  t.ok(descriptors.admits('client'));
  t.equal(descriptors.free, Number.POSITIVE_INFINITY);
  t.equal(state.counts, 0);
});

t.test('those of the process are what the system says', { skip: process.platform !== 'linux' }, async (t) => {
  const descriptors = Descriptors.ofProcess();
  t.ok(descriptors.limit > 0);
  t.ok(descriptors.free > 0 && descriptors.free < descriptors.limit);
});
