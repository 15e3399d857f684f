/** When holds and sessions expire: to the millisecond, by one timer, and how many at a time. */
import { uncontained } from '@holdfast/control-api';
import type { SubscriberKind } from '@holdfast/grip';
import t from 'tap';
import { Expiries } from '../../dist/channels/expiries.js';
import { ManualClock } from '../kit/manual-clock.js';
import { RecordingSubscriber } from './recording-subscriber.js';

/** Says when its time is over. */
class Holder extends RecordingSubscriber {
  readonly #end: () => void;

  constructor(kind: SubscriberKind, end: () => void) {
    super(kind);
    this.#end = end;
  }

  override expiryDue(): void {
    this.#end();
  }
}

function fixture(faults = uncontained) {
  const clock = new ManualClock();
  const since = clock.monotonic();
  const expiries = new Expiries({ clock, faults });
  const ends: string[] = [];
  const make = (name: string, kind: SubscriberKind = 'stream', then = () => {}) =>
    new Holder(kind, () => {
      ends.push(`${name} ${clock.monotonic() - since}`);
      then();
    });
  return { clock, expiries, ends, make };
}

t.test('each once, at its moment and not before, by one timer for all', async (t) => {
  const { clock, expiries, ends, make } = fixture();
  for (const seconds of [300, 5, 60]) expiries.set(make(`${seconds}`), { seconds });
  t.equal(clock.pending, 1);
  clock.advance(4_999);
  t.strictSame(ends, []);
  clock.advance(1);
  t.strictSame(ends, ['5 5000']);
  clock.advance(1_000_000);
  t.strictSame(ends, ['5 5000', '60 60000', '300 300000']);
  t.equal(clock.pending, 0);
});

t.test('a date is a moment of the wall clock, as it goes when it is set', async (t) => {
  const { clock, expiries, ends, make } = fixture();
  const holder = make('date');
  clock.advance(700);
  expiries.set(holder, { date: clock.wall() + 5_300 });
  t.equal(expiries.of(holder), new Date(clock.wall() + 5_300).toISOString());
  clock.setWall(-3_600_000);
  clock.advance(5_299);
  t.strictSame(ends, []);
  clock.advance(1);
  t.strictSame(ends, ['date 6000']);
  t.equal(expiries.of(holder), undefined);
});

t.test('a hold lasts a second at least, also when its date is past; a session may end at once', async (t) => {
  const { clock, expiries, ends, make } = fixture();
  expiries.set(make('stream'), { seconds: 0 });
  expiries.set(make('response', 'response'), { date: clock.wall() - 86_400_000 });
  expiries.set(make('ws', 'ws'), { seconds: 0 });
  t.strictSame(ends, [], 'never in the call itself');
  clock.advance(0);
  t.strictSame(ends, ['ws 0']);
  clock.advance(999);
  t.equal(ends.length, 1);
  clock.advance(1);
  t.strictSame(ends.toSorted(), ['response 1000', 'stream 1000', 'ws 0']);
});

t.test('what is set anew has its last time; what is deleted, or set to none, has none', async (t) => {
  const { clock, expiries, ends, make } = fixture();
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => make(name)) as [Holder, Holder, Holder, Holder];
  for (const holder of [a, b, c, d]) expiries.set(holder, { seconds: 10 });
  expiries.set(a, { seconds: 20 });
  expiries.set(b, undefined);
  expiries.delete(c);
  expiries.delete(make('never set'));
  expiries.set(d, { seconds: 5 });
  clock.advance(60_000);
  t.strictSame(ends, ['d 5000', 'a 20000']);
  t.equal(clock.pending, 0);
  expiries.set(b, { seconds: 1 });
  expiries.delete(b);
  t.equal(clock.pending, 0, 'the last one takes the timer with it');
});

t.test('one may set itself, and another, anew while it ends', async (t) => {
  const { clock, expiries, ends, make } = fixture();
  const other = make('other');
  const again: Holder = make('again', 'stream', () => {
    if (ends.length > 2) return;
    expiries.set(again, { seconds: 1 });
    expiries.set(other, { seconds: 3 });
  });
  expiries.set(again, { seconds: 1 });
  expiries.set(other, { seconds: 2 });
  clock.advance(10_000);
  t.strictSame(ends, ['again 1000', 'again 2000', 'again 3000', 'other 5000']);
  t.equal(clock.pending, 0);
});

t.test('a date that is thousands of years away keeps a timer that can be had', async (t) => {
  const { clock, expiries, ends, make } = fixture();
  // A timer takes 24.8 days; this clock cuts one short as the system's does.
  const { after } = clock;
  clock.after = (ms, run) => after.call(clock, Math.min(ms, 2 ** 31 - 1), run);
  expiries.set(make('far'), { date: Date.UTC(9999, 0, 1) });
  expiries.set(make('year'), { seconds: 31_622_400 });
  clock.advance(31_622_400_000 - 1);
  t.strictSame(ends, []);
  clock.advance(1);
  t.strictSame(ends, ['year 31622400000']);
  t.equal(clock.pending, 1);
});

t.test('no turn of the event loop ends more than 200', async (t) => {
  const { clock, expiries, ends, make } = fixture();
  const turns: number[] = [];
  const { after } = clock;
  clock.after = (ms, run) =>
    after.call(clock, ms, () => {
      const before = ends.length;
      run();
      turns.push(ends.length - before);
    });
  for (let i = 0; i < 450; i++) expiries.set(make(`${i}`), { seconds: 30 });
  clock.advance(30_000);
  t.strictSame(turns, [200, 200, 50]);
});

t.test('one whose end fails does not keep the others', async (t) => {
  const caught: unknown[] = [];
  const { clock, expiries, ends, make } = fixture({
    ...uncontained,
    run: (_where: string, act: () => void) => {
      try {
        act();
      } catch (error) {
        caught.push(error);
      }
    },
  } as typeof uncontained);
  const fails = () => {
    throw new Error('bad');
  };
  expiries.set(make('bad', 'stream', fails), { seconds: 2 });
  expiries.set(make('good'), { seconds: 2 });
  clock.advance(2_000);
  t.equal(caught.length, 1);
  t.equal(ends.length, 2);
});
