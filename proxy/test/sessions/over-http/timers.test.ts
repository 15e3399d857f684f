import t from 'tap';
import { HttpPings } from '../../../dist/sessions/over-http/timers.js';
import { ManualClock } from '../../kit/manual-clock.js';
import { event, reply } from './events-server.js';
import { held, open } from './origin-fixture.js';

t.test('pings', async (t) => {
  const ping = (payload: string) => ['ping', Buffer.from(payload)] as const;

  t.test('the origin’s own pong is passed on when it comes in time', async (t) => {
    const { socket, heard, clock } = await open(t, (seen) =>
      reply(seen.events.map(({ content }) => event('PONG', content))),
    );
    socket.send(...ping('a'));
    await heard.got(1);
    clock.advance(1_000);
    t.same(heard.texts, ['pong a']);
  });

  t.test('the proxy answers after 50 ms; the origin’s pong is then swallowed', async (t) => {
    const late = held();
    const { socket, heard, clock, server } = await open(t, () => late.reply);
    socket.send(...ping('a'));
    socket.send(...ping('b'));
    await server.requests(2);
    clock.advance(49);
    t.same(heard.texts, []);
    clock.advance(1);
    t.same(heard.texts, ['pong a', 'pong b']);
    late.give(reply([event('PONG', 'b'), event('PONG', 'a'), event('PONG', 'unasked')]));
    await heard.got(3);
    t.same(heard.texts, ['pong a', 'pong b', 'pong unasked']);
    t.equal(clock.pending, 0);
  });

  t.test('a pong without content answers the oldest ping', async (t) => {
    const { socket, heard, clock } = await open(t, () => reply([event('PONG')]));
    socket.send(...ping('a'));
    await heard.got(1);
    clock.advance(1_000);
    t.same(heard.texts, ['pong a']);
  });

  t.test('none is answered after an end', async (t) => {
    const { socket, heard, clock, server } = await open(t, () => undefined);
    socket.send(...ping('a'));
    await server.requests(2);
    socket.abort();
    t.equal(clock.pending, 0);
    t.same(heard.texts, []);
  });
});

for (const hours of [-1, 1]) {
  t.test(`the wall clock is set by ${hours} h: pings are answered after their 50 ms`, async (t) => {
    const clock = new ManualClock();
    const heard: string[] = [];
    const pings = new HttpPings(clock, (payload) => heard.push(`${payload}`));
    pings.sent(Buffer.from('a'));
    clock.advance(20);
    pings.sent(Buffer.from('b'));
    clock.setWall(hours * 3_600_000);
    clock.advance(29);
    t.strictSame(heard, []);
    clock.advance(1);
    t.strictSame(heard, ['a']);
    clock.advance(20);
    t.strictSame(heard, ['a', 'b']);
  });
}

t.test('thousands of pings and pongs: each ping has one pong, and the oldest do not wait', async (t) => {
  const clock = new ManualClock();
  const heard: string[] = [];
  const pings = new HttpPings(clock, (payload) => heard.push(`${payload}`));
  const all = 10_000;
  for (let i = 0; i < all; i++) pings.sent(Buffer.from(`${i}`));
  t.equal(heard.length, 0, 'not from within the call');
  await null;
  t.ok(heard.length >= all - 32 && heard.length < all, `${heard.length}`);
  for (let i = all - 1; i >= 0; i--) {
    const passed = pings.received(Buffer.from(`${i}`));
    if (passed !== undefined) heard.push(`${passed}`);
    if (heard.length === all) break;
  }
  clock.advance(1_000);
  t.equal(new Set(heard).size, all);
  t.equal(heard.length, all);
});
