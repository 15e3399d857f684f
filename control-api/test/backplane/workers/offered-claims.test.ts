import t from 'tap';
import { MAX_OFFERED, OfferedClaims, WORKER_ANSWER_MS } from '../../../dist/backplane/workers/offered-claims.js';
import { ManualClock } from '../../manual-clock.js';

function fixture() {
  const clock = new ManualClock();
  const offered = new OfferedClaims(clock);
  const calls: string[] = [];
  const claim = (name: string) => ({
    take: () => {
      calls.push(`take ${name}`);
      return undefined;
    },
    pass: () => void calls.push(`pass ${name}`),
  });
  return { clock, offered, calls, claim };
}

t.test('an answer is that of its claim, and counts once', async (t) => {
  const { offered, calls, claim } = fixture();
  const [a, b] = [offered.offer(claim('a')), offered.offer(claim('b'))] as [number, number];
  t.equal(offered.take(b), undefined);
  offered.pass(a);
  offered.pass(a);
  t.equal(await offered.take(b), false);
  t.equal(await offered.take(99), false);
  t.strictSame(calls, ['take b', 'pass a']);
});

t.test('a worker that does not answer in time has passed, and gets nothing later', async (t) => {
  const { clock, offered, calls, claim } = fixture();
  const a = offered.offer(claim('a')) as number;
  clock.advance(WORKER_ANSWER_MS - 1);
  t.strictSame(calls, []);
  clock.advance(1);
  t.strictSame(calls, ['pass a']);
  t.equal(await offered.take(a), false);
});

t.test('a worker that has gone has passed, also what it would be asked next', async (t) => {
  const { clock, offered, calls, claim } = fixture();
  offered.offer(claim('a'));
  offered.close();
  t.equal(offered.offer(claim('b')), undefined);
  clock.advance(WORKER_ANSWER_MS);
  t.strictSame(calls, ['pass a', 'pass b']);
});

t.test(`a worker is asked about ${MAX_OFFERED} items at a time: others are not for it`, async (t) => {
  const { offered, calls, claim } = fixture();
  const numbers = Array.from({ length: MAX_OFFERED }, (_, i) => offered.offer(claim(`${i}`)));
  t.equal(offered.offer(claim('over')), undefined);
  t.strictSame(calls, ['pass over']);
  offered.pass(numbers[0] as number);
  t.not(offered.offer(claim('next')), undefined);
});
