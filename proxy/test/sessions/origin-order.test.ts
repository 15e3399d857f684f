import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { LIVE_WAIT_MS } from '../../dist/channels/subscriber-deps.js';
import { OriginOrder } from '../../dist/sessions/origin-order.js';
import type { OriginSocket } from '../../dist/sessions/origin-socket.js';
import { ManualClock } from '../kit/manual-clock.js';
import { Turn } from '../kit/turn.js';

/** An order, what the origin was told, and what was said, in one list. */
function scene() {
  const log: string[] = [];
  const clock = new ManualClock();
  const origin = {
    own() {},
    send: () => true,
    close() {},
    abort() {},
    pause: () => void log.push('pause'),
    resume: () => void log.push('resume'),
  } satisfies OriginSocket;
  const order = new OriginOrder(origin, { clock, faults: uncontained }, {});
  const say = (text: string, then = () => {}) => {
    const act = () => {
      log.push(text);
      then();
    };
    if (!order.keepsBack(act)) act();
  };
  return { log, clock, order, say };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('what is said while a subscription is not live comes after it, in order', async (t) => {
  const { log, order, say } = scene();
  const live = new Turn();
  say('1');
  order.waitFor(live.promise);
  say('2');
  say('3');
  t.strictSame(log, ['1', 'pause']);
  live.resolve();
  await turn();
  say('4');
  t.strictSame(log, ['1', 'pause', '2', '3', 'resume', '4']);
});

t.test('what was kept back may itself have to be waited for', async (t) => {
  const { log, order, say } = scene();
  const [first, second] = [new Turn(), new Turn()];
  order.waitFor(first.promise);
  say('1', () => order.waitFor(second.promise));
  say('2');
  first.resolve();
  await turn();
  t.strictSame(log, ['pause', '1', 'pause'], 'the rest waits on');
  second.resolve();
  await turn();
  t.strictSame(log, ['pause', '1', 'pause', '2', 'resume']);
});

t.test('a subscription that takes too long is not waited for', async (t) => {
  const { log, clock, order, say } = scene();
  order.waitFor(new Promise(() => {}));
  say('1');
  clock.advance(LIVE_WAIT_MS);
  t.strictSame(log, ['pause', '1', 'resume']);
});

t.test('much may be kept back, and each of it be the next to wait', async (t) => {
  const { log, order, say } = scene();
  const first = new Turn();
  const all = 200_000;
  order.waitFor(first.promise);
  let again: Turn | undefined;
  for (let i = 0; i < all; i++) {
    say(`${i}`, () => {
      if (i >= 3) return;
      again = new Turn();
      order.waitFor(again.promise);
    });
  }
  first.resolve();
  for (let i = 0; i < 3; i++) {
    await turn();
    again?.resolve();
  }
  await turn();
  t.equal(log.filter((text) => text !== 'pause').length, all + 1);
  t.strictSame(log.slice(-2), [`${all - 1}`, 'resume']);
});
