import t from 'tap';
import { HttpPings } from '../../../dist/sessions/over-http/timers.js';
import { ManualClock } from '../../kit/manual-clock.js';
import { event, reply } from './events-server.js';
import { held, open } from './origin-fixture.js';

t.test('pings', async (t) => {
  const ping = (payload: string) => ['ping', Buffer.from(payload)] as const;

  t.test('the origin’s own pong is passed on when it comes in time', async (t) => {
    const { socket, recorder, clock } = await open(t, (seen) =>
      reply(seen.events.map(({ content }) => event('PONG', content))),
    );
    socket.send(...ping('a'));
    await recorder.got(1);
    clock.advance(1_000);
    t.same(recorder.texts, ['pong a']);
  });

  t.test('the proxy answers after 50 ms; the origin’s pong is then swallowed', async (t) => {
    const late = held();
    const { socket, recorder, clock, server } = await open(t, () => late.reply);
    socket.send(...ping('a'));
    socket.send(...ping('b'));
    await server.requests(2);
    clock.advance(49);
    t.same(recorder.texts, []);
    clock.advance(1);
    t.same(recorder.texts, ['pong a', 'pong b']);
    late.give(reply([event('PONG', 'b'), event('PONG', 'a'), event('PONG', 'unasked')]));
    await recorder.got(3);
    t.same(recorder.texts, ['pong a', 'pong b', 'pong unasked']);
    t.equal(clock.pending, 0);
  });

  t.test('a pong without content answers the oldest ping', async (t) => {
    const { socket, recorder, clock } = await open(t, () => reply([event('PONG')]));
    socket.send(...ping('a'));
    await recorder.got(1);
    clock.advance(1_000);
    t.same(recorder.texts, ['pong a']);
  });

  t.test('none is answered after an end', async (t) => {
    const { socket, recorder, clock, server } = await open(t, () => undefined);
    socket.send(...ping('a'));
    await server.requests(2);
    socket.abort();
    t.equal(clock.pending, 0);
    t.same(recorder.texts, []);
  });
});

for (const hours of [-1, 1]) {
  t.test(`the wall clock is set by ${hours} h: pings are answered after their 50 ms`, async (t) => {
    const clock = new ManualClock();
    const received: string[] = [];
    const pings = new HttpPings(clock, (payload) => received.push(`${payload}`));
    pings.sent(Buffer.from('a'));
    clock.advance(20);
    pings.sent(Buffer.from('b'));
    clock.setWall(hours * 3_600_000);
    clock.advance(29);
    t.strictSame(received, []);
    clock.advance(1);
    t.strictSame(received, ['a']);
    clock.advance(20);
    t.strictSame(received, ['a', 'b']);
  });
}

t.test('thousands of pings and pongs: each ping has one pong, and the oldest do not wait', async (t) => {
  const clock = new ManualClock();
  const received: string[] = [];
  const pings = new HttpPings(clock, (payload) => received.push(`${payload}`));
  const all = 10_000;
  for (let i = 0; i < all; i++) pings.sent(Buffer.from(`${i}`));
  t.equal(received.length, 0, 'not from within the call');
  await null;
  t.ok(received.length >= all - 32 && received.length < all, `${received.length}`);
  for (let i = all - 1; i >= 0; i--) {
    const passed = pings.received(Buffer.from(`${i}`));
    if (passed !== undefined) received.push(`${passed}`);
    if (received.length === all) break;
  }
  clock.advance(1_000);
  t.equal(new Set(received).size, all);
  t.equal(received.length, all);
});
