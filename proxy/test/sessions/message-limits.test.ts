/** The limits of what a client may send: how long a message may be on its route, and how many a second. */
import t from 'tap';
import { closeCodeOf, closePayload, opcodes } from '../kit/clients/raw-frames.js';
import { settled } from '../kit/until.js';
import { control, SessionFixture } from './session-fixture.js';

const { text, binary, ping, pong } = opcodes;

const RATE = { settings: { ws_message_rate: 10 } };

t.test(
  'as many messages as the burst, pings and pongs among them, reach the origin; one more ends the session',
  async (t) => {
    const fixture = await SessionFixture.open(t, RATE);
    const { client, origin } = await fixture.join();
    const kinds = [text, binary, ping, pong];
    for (let i = 0; i < 20; i++) await client.send(kinds[i % 4] as number, String(i));
    for (let i = 0; i < 20; i++) t.equal((await origin.frame()).payload.toString(), String(i));
    await client.send(ping, 'more');
    t.same((await client.frame()).payload, closePayload(1008, 'too many messages'));
    t.match(await fixture.ended(), { reason: 'message-rate' });
    t.strictSame(await origin.rest(), [], 'which is cut, and does not see it');
    t.strictSame(fixture.limited, ['ws_message_rate']);
  },
);

t.test('a client that keeps to the rate goes on', async (t) => {
  const fixture = await SessionFixture.open(t, RATE);
  const { client, origin } = await fixture.join();
  for (let i = 0; i < 200; i++) {
    await client.text(String(i));
    t.equal((await origin.frame()).payload.toString(), String(i));
    fixture.clock.advance(100);
  }
  t.strictSame(fixture.ends, []);
  t.strictSame(fixture.limited, []);
});

t.test('pongs that pings ask for are not counted', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { ws_message_rate: 1 } });
  const { client, origin } = await fixture.join();
  for (let i = 0; i < 10; i++) {
    await origin.send(ping, String(i));
    t.equal((await client.frame()).opcode, ping);
    await client.send(pong, String(i));
    t.equal((await origin.frame()).opcode, pong);
  }
  for (let i = 0; i < 2; i++) {
    await client.send(pong, '');
    t.equal((await origin.frame()).opcode, pong);
  }
  await client.send(pong, '');
  t.equal(closeCodeOf(await client.frame()), 1008);
});

t.test('what a client sent while its origin did not read is not held against it', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { ws_message_rate: 50 } });
  const { client, origin } = await fixture.join();
  const content = Buffer.alloc(262_144);
  let taken = 0;
  const send = (count: number) => {
    for (let i = 0; i < count; i++) void client.send(binary, content).then(() => taken++);
  };
  origin.pause();
  send(100);
  t.ok((await settled(() => taken)) < 100, 'the client is not read');
  fixture.clock.advance(4_000);
  send(150);
  origin.resume();
  for (let i = 0; i < 250; i++) t.equal((await origin.frame()).payload.length, content.length);
  t.strictSame(fixture.limited, []);
});

t.test('after a detach the rate counts as before', async (t) => {
  const fixture = await SessionFixture.open(t, RATE);
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  await joined.origin.text('c:{"type":"detach"}');
  t.equal(closeCodeOf(await joined.origin.frame()), 1000);
  for (let i = 0; i <= 20; i++) await joined.client.text('x');
  t.equal(closeCodeOf(await joined.client.frame()), 1008);
  t.equal((await fixture.ended()).reason, 'message-rate');
});

t.test(
  'a message of as many bytes as the route allows passes; a longer one closes the session with 1009',
  async (t) => {
    const fixture = await SessionFixture.open(t, { route: 'ws_message_max=1kB' });
    const { client, origin } = await fixture.join();
    await client.text('x'.repeat(1_000));
    t.equal((await origin.frame()).payload.length, 1_000);
    await origin.text(`m:${'y'.repeat(2_000)}`);
    t.equal((await client.frame()).payload.length, 2_000, 'the origin may send what it likes');
    await client.text('x'.repeat(1_001));
    await client.text('behind it');
    t.equal(closeCodeOf(await origin.frame()), 1009);
    await origin.close(1000);
    origin.end();
    t.equal(closeCodeOf(await client.frame()), 1009);
    t.match(await fixture.ended(), { reason: 'client-fault' });
    t.strictSame(await origin.rest(), []);
    t.strictSame(fixture.limited, ['ws_message_max']);
  },
);

t.test('one over websocket_message_max is counted by that name', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { websocket_message_max: 1_000 } });
  const { client, origin } = await fixture.join();
  await client.text('x'.repeat(1_001));
  t.equal(closeCodeOf(await origin.frame()), 1009);
  t.strictSame(fixture.limited, ['websocket_message_max']);
});
