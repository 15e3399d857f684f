import t from 'tap';
import { UpdateLimiter } from '../../dist/links/update-limiter.js';
import { ManualClock } from '../kit/manual-clock.js';

function fixture() {
  const clock = new ManualClock(0);
  const went: string[] = [];
  const limiter = new UpdateLimiter(clock);
  const enter = (name: string, link = 'link') =>
    limiter.enter(link, () => void went.push(`${name}@${clock.monotonic()}`));
  return { clock, went, limiter, enter };
}

t.test('the first waits a tenth of a second too, so that all who find the same gap go together', async (t) => {
  const { clock, went, enter } = fixture();
  enter('a');
  clock.advance(60);
  enter('b');
  clock.advance(39);
  t.strictSame(went, []);
  clock.advance(1);
  t.strictSame(went, ['a@100', 'b@100']);
});

t.test('a hundred at a time, ten times a second, in order', async (t) => {
  const { clock, went, enter } = fixture();
  for (let i = 0; i < 250; i++) enter(`${i}`);
  clock.advance(1_000);
  t.equal(went.length, 250);
  t.equal(
    went.findIndex((text) => text.endsWith('@200')),
    100,
  );
  t.equal(
    went.findIndex((text) => text.endsWith('@300')),
    200,
  );
  t.strictSame(went.slice(0, 2), ['0@100', '1@100']);
});

t.test('one that comes soon after a batch waits for the next', async (t) => {
  const { clock, went, enter } = fixture();
  enter('a');
  clock.advance(150);
  enter('b');
  clock.advance(49);
  t.strictSame(went, ['a@100']);
  clock.advance(1);
  t.strictSame(went, ['a@100', 'b@200']);
});

t.test('links do not wait for each other', async (t) => {
  const { clock, went, enter } = fixture();
  for (let i = 0; i < 150; i++) enter(`${i}`, 'one');
  enter('x', 'two');
  clock.advance(100);
  t.equal(went.length, 101);
  t.ok(went.includes('x@100'));
});

t.test('of all links together five hundred go at a time', async (t) => {
  const { clock, went, enter } = fixture();
  for (let i = 0; i < 1_200; i++) enter(`${i}`, `link ${i}`);
  clock.advance(100);
  t.equal(went.length, 500);
  clock.advance(100);
  t.equal(went.length, 1_000);
  clock.advance(100);
  t.equal(went.length, 1_200);
  t.equal(new Set(went).size, 1_200);
});

t.test('one that is taken back does not go, nor cost a place', async (t) => {
  const { clock, went, enter } = fixture();
  const withdraw = enter('a');
  for (let i = 0; i < 100; i++) enter(`${i}`);
  withdraw();
  withdraw();
  clock.advance(100);
  t.equal(went.length, 100);
  t.notOk(went.includes('a@100'));
});

t.test('taken back by another of the same batch: too late to go', async (t) => {
  const clock = new ManualClock(0);
  const limiter = new UpdateLimiter(clock);
  const went: string[] = [];
  let withdraw = () => {};
  limiter.enter('link', () => {
    went.push('a');
    withdraw();
  });
  withdraw = limiter.enter('link', () => void went.push('b'));
  clock.advance(100);
  t.strictSame(went, ['a']);
});

t.test('the same function may wait twice', async (t) => {
  const clock = new ManualClock(0);
  const limiter = new UpdateLimiter(clock);
  let calls = 0;
  const go = () => void calls++;
  limiter.enter('link', go);
  limiter.enter('link', go);
  clock.advance(100);
  t.equal(calls, 2);
});

t.test('one that enters again while it goes has its turn in the next batch', async (t) => {
  const clock = new ManualClock(0);
  const limiter = new UpdateLimiter(clock);
  const went: number[] = [];
  const go = () => {
    went.push(clock.monotonic());
    if (went.length < 3) limiter.enter('link', go);
  };
  limiter.enter('link', go);
  clock.advance(1_000);
  t.strictSame(went, [100, 200, 300]);
});

t.test('nothing is kept once nobody waits', async (t) => {
  const { clock, enter } = fixture();
  enter('a');
  enter('b', 'other')();
  clock.advance(200);
  t.equal(clock.pending, 0);
});
