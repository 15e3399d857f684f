/** What counts as an instruct, its two forms, its limits, and what clients are told when it is wrong. */
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { responseItem, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';

const origin = await ScriptedOrigin.start(t);
const holdfast = await startHoldfast(t, {
  settings: { connection_subscription_max: 20 },
  routes: [`* ${origin.target}`, `debug,debug ${origin.target}`, `plain,no_grip ${origin.target}`],
});
const { clients } = holdfast;
const FAILED = 'Error while proxying to origin.\n';
const debug = { headers: { Host: 'debug' } };
const json = (instruct: unknown, headers = {}, status = 200) =>
  origin.script({
    status,
    headers: { 'Content-Type': 'application/grip-instruct', ...headers },
    body: typeof instruct === 'string' ? instruct : JSON.stringify(instruct),
  });

t.test('any Grip-* header makes an instruct: without a hold the rest is relayed', async (t) => {
  const headers = { 'Grip-Foo': 'x', 'grip-channel': 'room', 'X-Own': 'y', 'Grip-Status': '404' };
  const path = origin.script({ headers, body: 'body' });
  const answer = await ask(t, `${clients}${path}`);
  t.match(answer, { status: 404, reason: 'Not Found', text: 'body', headers: { 'x-own': 'y' } });
  t.notMatch(answer.rawHeaders.join('\n'), /grip-/i);
  t.match(await holdfast.publish(streamItem('room', 'x')), [{ subscribers: 0 }]);
});

t.test('on a route that is no_grip an instruct is an ordinary answer', async (t) => {
  const path = origin.script({ headers: streamHold('room'), body: 'body' });
  const answer = await ask(t, `${clients}${path}`, { headers: { Host: 'plain' } });
  t.match(answer, { status: 200, text: 'body', headers: { 'grip-hold': 'stream', 'grip-channel': 'room' } });
});

t.test('the JSON form: a stream, with headers, body, keep-alive and several channels', async (t) => {
  const hold = { mode: 'stream', channels: [{ name: 'json-a' }, { name: 'json-b' }] };
  const headers = [
    ['X-Twice', '1'],
    ['X-Twice', '2'],
  ];
  const response = { code: '203', reason: 'Fine', headers, 'body-bin': Buffer.from('first\n').toString('base64') };
  const stream = await open(t, `${clients}${json({ hold, response }, { 'X-Origin': 'not merged' })}`);
  t.match(stream, { status: 203, reason: 'Fine', headers: { 'x-twice': '1, 2', 'x-origin': undefined } });
  await holdfast.publish(streamItem('json-a', 'a\n'), streamItem('json-b', 'b\n'));
  await stream.until('first\na\nb\n');
});

t.test('the JSON form: a long poll is the default, and Grip-* headers add channels', async (t) => {
  const path = json({ hold: { channels: [{ name: 'json-c' }] } }, { 'Grip-Channel': 'json-d' });
  for (const channel of ['json-c', 'json-d']) {
    const polling = ask(t, `${clients}${path}`);
    await holdfast.holds('response', 1);
    await holdfast.publish(responseItem(channel, channel));
    t.match(await polling, { status: 200, text: channel });
  }
});

t.test('the JSON form without a hold is an answer by itself', async (t) => {
  const path = json({ response: { code: 402, headers: { 'X-A': 'b' }, body: 'pay' } });
  t.match(await ask(t, `${clients}${path}`), {
    status: 402,
    reason: 'Payment Required',
    text: 'pay',
    headers: { 'x-a': 'b', 'content-length': '3', 'content-type': undefined },
  });
  t.match(await ask(t, `${clients}${json({})}`), { status: 200, text: '' });
});

t.test('an instruct that cannot be parsed: 502, and on a debug route the reason', async (t) => {
  const channel = { hold: { channels: [{ name: 'a' }] } };
  const cases = [
    [origin.script({ headers: { 'Grip-Hold': 'maybe' } }), "Grip-Hold must be set to either 'response' or 'stream'"],
    [origin.script({ headers: responseHold('a', { 'Grip-Timeout': 'x' }) }), 'failed to parse Grip-Timeout'],
    [
      origin.script({ headers: streamHold('a', { 'Grip-Keep-Alive': 'x; mode=y' }) }),
      "no such Grip-Keep-Alive mode 'y'",
    ],
    [
      origin.script({ headers: streamHold('a;filter=a;filter=b;filter=c;filter=d;filter=e;filter=f') }),
      "too many filters for channel 'a'",
    ],
    [json('{'), 'failed to parse application/grip-instruct content as JSON'],
    [json([]), 'instruct must be an object'],
    [json({ hold: {} }), "hold does not contain 'channels'"],
    [json(channel, {}, 201), 'response code for application/grip-instruct content must be 200'],
  ] as const;
  for (const [path, why] of cases) {
    t.match(await ask(t, `${clients}${path}`), {
      status: 502,
      text: FAILED,
      headers: { 'content-type': 'text/plain' },
    });
    const told = await ask(t, `${clients}${path}`, debug);
    t.match(told, { status: 502, text: `Failed to parse accept instructions: ${why}\n` });
  }
});

t.test('more channels than connection_subscription_max: the first ones are kept', async (t) => {
  const names = Array.from({ length: 25 }, (_, i) => `many-${i}`);
  const stream = await open(t, `${clients}${origin.script({ headers: streamHold(`many-0, ${names.join(', ')}`) })}`);
  const receipts = await holdfast.publish(...names.map((name) => streamItem(name, `${name}\n`)));
  t.strictSame(
    receipts.map(({ subscribers }) => subscribers),
    names.map((_, i) => (i < 20 ? 1 : 0)),
  );
  await stream.until('many-19\n');
  t.equal(
    stream.text,
    names
      .slice(0, 20)
      .map((name) => `${name}\n`)
      .join(''),
  );
});

t.test('a body over instruct_body_max: 502 for a long poll, while a stream is sent and then held', async (t) => {
  const body = 'x'.repeat(100_001);
  const poll = origin.script({ headers: responseHold('large'), body });
  t.match(await ask(t, `${clients}${poll}`), { status: 502, text: FAILED });
  t.match(await ask(t, `${clients}${poll}`, debug), {
    status: 502,
    text: `GRIP instruct response too large from ${origin.target}\n`,
  });
  t.match(await holdfast.publish(responseItem('large', '')), [{ subscribers: 0 }]);
  const large = { response: { body } };
  t.match(await ask(t, `${clients}${json(large)}`), { status: 502, text: FAILED });

  const path = origin.script({ headers: streamHold('large', { 'Grip-Status': '201', 'X-Own': 'a' }), body });
  const stream = await open(t, `${clients}${path}`);
  t.match(stream, { status: 201, headers: { 'x-own': 'a', 'content-length': undefined } });
  await stream.until(/^x{100001}$/);
  await holdfast.publish(streamItem('large', 'item'));
  await stream.until(/^x{100001}item$/);

  const exact = origin.script({ headers: responseHold('large'), body: 'y'.repeat(100_000) });
  const polling = ask(t, `${clients}${exact}`);
  await holdfast.holds('response', 1);
  await holdfast.publish(responseItem('large', 'done'));
  t.match(await polling, { text: 'done' });
});

t.test('a request body over request_body_max cannot be held, but everything else', async (t) => {
  const sending = (length: number) => ({ method: 'POST', body: 'z'.repeat(length) });
  const hold = origin.script({ headers: responseHold('posted') });
  t.match(await ask(t, `${clients}${hold}`, sending(100_001)), {
    status: 400,
    text: 'Request too large to accept GRIP instruct.\n',
  });
  t.match(await holdfast.publish(responseItem('posted', '')), [{ subscribers: 0 }]);
  const plain = origin.script({ body: 'taken' });
  t.match(await ask(t, `${clients}${plain}`, sending(3_000_000)), { status: 200, text: 'taken' });
  t.equal(origin.seen(plain)[0]?.body.length, 3_000_000);

  const polling = ask(t, `${clients}${hold}`, sending(100_000));
  await holdfast.holds('response', 1);
  await holdfast.publish(responseItem('posted', 'held'));
  t.match(await polling, { text: 'held' });
});
