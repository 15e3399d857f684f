import t from 'tap';
import { closeCodeOf, closePayload, opcodes } from '../kit/clients/raw-frames.js';
import { control, type Joined, reached, SessionFixture } from './session-fixture.js';

const { text, binary, ping, pong, close } = opcodes;

async function subscribed(fixture: SessionFixture, channel = 'a'): Promise<Joined> {
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel });
  return joined;
}

t.test('send: every type arrives as one frame with its content', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client } = await subscribed(fixture);
  for (const [item, opcode, expected] of [
    [{ content: 'text' }, text, 'text'],
    [{ content: '' }, text, ''],
    [{ content: 'c:not for the proxy' }, text, 'c:not for the proxy'],
    [{ 'content-bin': Buffer.from('bytes').toString('base64') }, binary, 'bytes'],
    [{ type: 'binary', content: 'bytes' }, binary, 'bytes'],
    [{ type: 'text', 'content-bin': Buffer.from('ü').toString('base64') }, text, 'ü'],
    [{ type: 'ping', content: 'p' }, ping, 'p'],
    [{ type: 'ping' }, ping, ''],
    [{ type: 'pong', content: 'q' }, pong, 'q'],
    [{ type: 'pong' }, pong, ''],
    [{ content: 'x'.repeat(100_000) }, text, 'x'.repeat(100_000)],
  ] as const) {
    fixture.publish('a', item);
    const frame = await client.frame();
    t.strictSame([frame.opcode, frame.fin, frame.payload.toString()], [opcode, true, expected]);
  }
  t.equal(fixture.counts.sent, 11);
});

t.test('send: all sessions of the channel get it, in order with what their origins send', async (t) => {
  const fixture = await SessionFixture.open(t);
  const sessions = [await subscribed(fixture), await subscribed(fixture), await subscribed(fixture, 'b')];
  for (let i = 0; i < 50; i++) fixture.publish('a', { content: `${i}` });
  fixture.publish('b', { content: 'b' });
  for (const { client } of sessions.slice(0, 2)) {
    for (let i = 0; i < 50; i++) t.strictSame(await client.brief(), [text, `${i}`]);
  }
  t.strictSame(await sessions[2]?.client.brief(), [text, 'b']);
  t.equal(fixture.counts.delivered, 101);
  for (const session of sessions) await reached(session);
});

t.test('an item with several formats is used for its ws-message; one without is not for a session', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await subscribed(fixture);
  const others = { 'http-stream': { content: 'line\n' }, 'http-response': { body: 'answer' } };
  fixture.publish('a', { content: 'message' }, others);
  fixture.publish('a', undefined, others);
  t.strictSame(await joined.client.brief(), [text, 'message']);
  await reached(joined);
  t.strictSame([fixture.counts.sent, fixture.counts.delivered], [1, 1]);
});

t.test('hint and refresh send nothing to the client of an origin that speaks WebSocket', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await subscribed(fixture);
  fixture.publish('a', { action: 'hint' });
  fixture.publish('a', { action: 'refresh' });
  await fixture.backplane.publish([{ type: 'recover' }]);
  await reached(joined);
  await joined.client.text('still open');
  t.strictSame(await joined.origin.brief(), [text, 'still open'], 'nor to its origin');
  t.equal(fixture.counts.sent, 0);
});

for (const [says, item, payload] of [
  ['a code and a reason', { code: 4001, reason: 'enough ✓' }, closePayload(4001, 'enough ✓')],
  ['a code alone', { code: 1000 }, closePayload(1000)],
  ['no code', {}, closePayload()],
  ['a reason but no code', { reason: 'lost' }, closePayload()],
  ['a code that must not be sent', { code: 1005, reason: 'x' }, closePayload()],
  ['code 0', { code: 0 }, closePayload()],
  ['a reason that is too long', { code: 4000, reason: 'é'.repeat(100) }, closePayload(4000, 'é'.repeat(61))],
] as const) {
  t.test(`close with ${says}: the client gets what can be sent of it, the origin 1000`, async (t) => {
    const fixture = await SessionFixture.open(t);
    const { client, origin } = await subscribed(fixture);
    fixture.publish('a', { content: 'last' });
    fixture.publish('a', { action: 'close', ...item });
    fixture.publish('a', { content: 'too late' });
    t.strictSame(await client.brief(), [text, 'last']);
    const frame = await client.frame();
    t.strictSame([frame.opcode, frame.payload.toString('hex')], [close, payload.toString('hex')]);
    t.equal(closeCodeOf(await origin.frame()), 1000);
    t.match(await fixture.ended(), { kind: 'ws', reason: 'closed', items: 1, dropped: 0, channels: ['a'] });
    t.equal(fixture.registry.size, 0);
    await client.write(client.encode(close, frame.payload));
    t.strictSame(await client.rest(), [], 'and nothing after it');
    t.equal(fixture.ends.length, 1);
  });
}
