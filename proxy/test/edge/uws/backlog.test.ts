import t from 'tap';
import { SHARED_MAX, UwsBacklog, WAITING_MAX, type WaitingBody } from '../../../dist/edge/uws/body.js';

/** A body of which some waits until its client is cut. */
class Body implements WaitingBody {
  waiting = 0;
  readonly #backlog: UwsBacklog;

  constructor(backlog: UwsBacklog) {
    this.#backlog = backlog;
  }

  add(bytes: number): void {
    this.waiting += bytes;
    this.#backlog.waits(this, bytes);
  }

  cut(): void {
    const { waiting } = this;
    this.waiting = 0;
    this.#backlog.waits(this, -waiting);
  }
}

t.test('with more than may wait in all, the body of which the most waits is cut', async (t) => {
  const backlog = new UwsBacklog();
  const bodies = Array.from({ length: 20 }, () => new Body(backlog));
  for (const [i, body] of bodies.entries()) body.add(((i + 1) * SHARED_MAX) / 400);
  t.ok(backlog.bytes <= SHARED_MAX);
  const before = bodies.map(({ waiting }) => waiting);
  bodies[0]?.add(SHARED_MAX - backlog.bytes);
  t.equal(backlog.bytes, SHARED_MAX);
  bodies[1]?.add(1);
  t.equal(bodies[0]?.waiting, 0, 'the largest');
  t.strictSame(
    bodies.slice(2).map(({ waiting }) => waiting),
    before.slice(2),
    'and no other',
  );
  t.ok(backlog.bytes < SHARED_MAX);
});

t.test('one body alone may have more', async (t) => {
  const backlog = new UwsBacklog();
  const body = new Body(backlog);
  body.add(WAITING_MAX);
  t.equal(body.waiting, WAITING_MAX);
  body.add(1);
  t.equal(body.waiting, 0);
});

t.test('what is taken counts no more', async (t) => {
  const backlog = new UwsBacklog();
  const body = new Body(backlog);
  for (let i = 0; i < 100; i++) {
    body.add(WAITING_MAX);
    body.add(-WAITING_MAX);
  }
  t.strictSame([backlog.bytes, body.waiting], [0, 0]);
});
