/** What waits for the receiver: batches, order, what is sent again and what never, and its bounds. */
import t, { type Test } from 'tap';
import type { EventCounts, EventReceiver, PostResult } from '../../dist/index.js';
import { Outbox, uncontained } from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingLog } from '../recorder.js';

/** A receiver that answers when the test says so. */
class SlowReceiver implements EventReceiver {
  readonly name = 'http://receiver/';
  readonly posts: { id: string; channels: readonly number[] }[] = [];
  isClosed = false;
  #resolve: (result: PostResult) => void = () => {};

  post(id: string, body: string): Promise<PostResult> {
    const { events } = JSON.parse(body) as { events: { n: number }[] };
    this.posts.push({ id, channels: events.map(({ n }) => n) });
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  close(): void {
    this.isClosed = true;
  }

  /** Answers the post under way, and waits for what follows from it. */
  async answer(result: number | string): Promise<void> {
    this.#resolve(typeof result === 'number' ? { status: result } : { error: result });
    await new Promise(setImmediate);
  }

  get last() {
    return this.posts.at(-1);
  }
}

function fixture({ batchMax = 3, batchWait = 1_000 } = {}) {
  const clock = new ManualClock();
  const receiver = new SlowReceiver();
  const log = new RecordingLog();
  const counted: string[] = [];
  const counts: EventCounts = {
    eventsSent: (type, count) => void counted.push(`sent ${type} ${count}`),
    eventsDropped: (reason, count) => void counted.push(`dropped ${reason} ${count}`),
    eventsPosted: (result) => void counted.push(result),
  };
  const outbox = new Outbox({
    receiver,
    batchMax,
    batchWait,
    clock,
    random: () => 0,
    counts,
    log,
    faults: uncontained,
  });
  let n = 0;
  const offer = (count: number, rest: object = {}) => {
    for (let i = 0; i < count; i++) outbox.offer({ type: 'gap', time: 'now', n: ++n, ...rest });
  };
  /** Moves time on, and lets what follows happen. */
  const pass = async (ms: number) => {
    clock.advance(ms);
    await new Promise(setImmediate);
  };
  return { clock, receiver, log, counted, outbox, offer, pass };
}

t.test('events wait for others, and a whole batch goes at once', async (t) => {
  const { receiver, offer, pass } = fixture();
  offer(2);
  await pass(999);
  t.equal(receiver.posts.length, 0);
  await pass(1);
  t.strictSame(receiver.last?.channels, [1, 2]);
  await receiver.answer(204);
  offer(3);
  t.strictSame(receiver.last?.channels, [3, 4, 5]);
});

t.test('one post at a time, in order, and as few as can be', async (t) => {
  const { receiver, offer, pass, outbox, counted } = fixture();
  offer(8);
  t.strictSame(receiver.last?.channels, [1, 2, 3]);
  t.equal(receiver.posts.length, 1);
  t.equal(outbox.waiting, 8);
  await receiver.answer(200);
  t.strictSame(receiver.last?.channels, [4, 5, 6]);
  await receiver.answer(299);
  t.equal(receiver.posts.length, 2, 'less than a batch waits');
  await pass(1_000);
  t.strictSame(receiver.last?.channels, [7, 8]);
  await receiver.answer(200);
  t.equal(outbox.waiting, 0);
  t.strictSame(counted, ['taken', 'sent gap 3', 'taken', 'sent gap 3', 'taken', 'sent gap 2']);
});

t.test(
  'what is not taken is sent again under the same id, ever later up to 20 s, and nothing overtakes it',
  async (t) => {
    const { receiver, offer, pass, counted } = fixture();
    offer(3);
    offer(3);
    const { id } = receiver.last as { id: string };
    const pauses = [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000];
    for (const [at, ms] of pauses.entries()) {
      await receiver.answer(at % 2 === 0 ? 'ECONNREFUSED' : 503);
      await pass(ms - 1);
      t.equal(receiver.posts.length, at + 1, `not before ${ms} ms`);
      await pass(1);
      t.strictSame(receiver.posts[at + 1], { id, channels: [1, 2, 3] });
    }
    await receiver.answer(200);
    t.strictSame(receiver.last?.channels, [4, 5, 6]);
    t.not(receiver.last?.id, id);
    t.equal(counted.filter((what) => what === 'failed').length, 5);
    t.equal(counted.filter((what) => what === 'refused').length, 5);
  },
);

t.test('a redirect is no success', async (t) => {
  const { receiver, offer, pass } = fixture({ batchMax: 1 });
  offer(1);
  await receiver.answer(307);
  await pass(100);
  t.equal(receiver.posts.length, 2);
});

t.test('410 stops it: nothing is sent any more, and nothing kept', async (t) => {
  const { receiver, offer, pass, outbox, counted, log } = fixture();
  offer(7);
  await receiver.answer(410);
  t.equal(outbox.waiting, 0);
  offer(3);
  await pass(60_000);
  t.equal(receiver.posts.length, 1);
  t.strictSame(counted, ['refused', 'dropped stopped 7', ...Array(3).fill('dropped stopped 1')]);
  t.match(
    log.lines.filter(({ level }) => level === 'error'),
    [{ fields: { status: 410, dropped: 7 } }],
  );
  await outbox.close(1_000);
});

t.test('a batch that is refused is dropped after ten minutes, and the next one has its turn', async (t) => {
  const { receiver, offer, pass, counted } = fixture();
  offer(4);
  for (let tries = 0; tries < 60 && receiver.last?.channels.includes(1); tries++) {
    await receiver.answer(400);
    await pass(20_000);
  }
  t.ok(counted.includes('dropped refused 3'));
  t.strictSame(receiver.last?.channels, [4]);
});

t.test('a receiver that is not there is waited for, a whole day', async (t) => {
  const { receiver, offer, pass, counted } = fixture();
  offer(4);
  await receiver.answer('ECONNREFUSED');
  await pass(23 * 3_600_000);
  await receiver.answer(429);
  await pass(20_000);
  t.strictSame(receiver.last?.channels, [1, 2, 3]);
  await pass(3_600_000);
  await receiver.answer('ECONNREFUSED');
  t.ok(counted.includes('dropped given-up 3'));
  await pass(1_000);
  t.strictSame(receiver.last?.channels, [4]);
});

t.test('of too many the oldest go, and those under way stay', async (t) => {
  const { receiver, offer, outbox, counted } = fixture();
  offer(3);
  offer(99_997);
  t.equal(outbox.waiting, 100_000);
  t.strictSame(counted, []);
  offer(2);
  t.equal(outbox.waiting, 100_000);
  t.strictSame(counted, ['dropped full 1', 'dropped full 1']);
  await receiver.answer(200);
  t.strictSame(receiver.last?.channels, [6, 7, 8]);
});

t.test('so it is with too many characters', async (t) => {
  const { outbox, offer, counted } = fixture();
  const MiB = 1024 * 1024;
  offer(40, { text: 'x'.repeat(MiB) });
  t.equal(outbox.waiting, 32, 'one is under way');
  t.strictSame(counted, Array(8).fill('dropped full 1'));
});

t.test('a post has no more than a million characters, or one event', async (t) => {
  const { receiver, offer } = fixture();
  offer(1, { text: 'x'.repeat(600_000) });
  offer(2, { text: 'x'.repeat(600_000) });
  t.strictSame(receiver.last?.channels, [1]);
});

t.test('at the end what waits is sent, at once and again', async (t) => {
  const { receiver, offer, pass, outbox, counted } = fixture();
  offer(4);
  const closed = outbox.close(3_000);
  await receiver.answer(503);
  await pass(100);
  await receiver.answer(200);
  t.strictSame(receiver.last?.channels, [4]);
  await receiver.answer(200);
  await closed;
  t.ok(receiver.isClosed);
  t.notOk(counted.some((what) => what.startsWith('dropped')));
  offer(1);
  t.ok(counted.includes('dropped shutdown 1'));
});

t.test('the end is not put off by a receiver that does not answer', async (t) => {
  const { receiver, offer, pass, outbox, counted, clock } = fixture();
  offer(5);
  const closed = outbox.close(3_000);
  await pass(3_000);
  await closed;
  t.ok(receiver.isClosed);
  t.ok(counted.includes('dropped shutdown 5'));
  await receiver.answer('ECONNRESET');
  await pass(60_000);
  t.equal(receiver.posts.length, 1);
  t.equal(clock.pending, 0);
});

t.test('it ends at once where nothing waits', async (t) => {
  const { outbox, receiver, clock } = fixture();
  await outbox.close(3_000);
  t.ok(receiver.isClosed);
  t.equal(clock.pending, 0);
});

t.test('a failing receiver has few lines in the log, without what it is sent', async (t: Test) => {
  const { receiver, offer, pass, log } = fixture();
  offer(3);
  await receiver.answer('ECONNREFUSED');
  await pass(100);
  await receiver.answer('ECONNREFUSED');
  t.match(log.lines[0], {
    level: 'warn',
    fields: { receiver: 'http://receiver/', error: 'ECONNREFUSED', attempt: 1, waiting: 3 },
  });
  t.equal(log.lines.length, 1);
});
