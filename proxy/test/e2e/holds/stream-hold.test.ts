/** Streams that are held: their opening, what items add to them, keep-alives, and their end. */
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';
import { until } from '../../kit/until.js';

const origin = await ScriptedOrigin.start(t);
const holdfast = await startHoldfast(t, {
  settings: { client_half_close_grace: 0 },
  routes: [`* ${origin.target}`, `prefixed,prefix=app- ${origin.target},sub=all`],
});
const { clients } = holdfast;

const action = (channel: string, name: string) => ({ channel, formats: { 'http-stream': { action: name } } });

t.test('the head goes out at once: Grip-Status, exposed headers, no length, nothing of GRIP', async (t) => {
  const grip = { 'Grip-Status': '202 Open', 'Grip-Expose-Headers': 'X-A, Content-Type' };
  const headers = streamHold('head', { ...grip, 'X-A': 'a', 'X-B': 'b' });
  let finish: () => void = () => {};
  // The body begins only after the client has seen the head.
  const body = (response: ServerResponse) => {
    response.flushHeaders();
    finish = () => response.end('opened\n');
  };
  const stream = await open(t, `${clients}${origin.script({ headers, body })}`);
  t.match(stream, { status: 202, reason: 'Open', text: '' });
  t.match(stream.headers, { 'x-a': 'a', 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
  t.strictSame(stream.headers['x-b'], undefined);
  t.notMatch(stream.rawHeaders.join('\n'), /grip-|content-length/i);
  finish();
  await stream.until('opened\n');
});

t.test('items that come while the initial body is on its way follow it, in order', async (t) => {
  const response = await new Promise<{ response: ServerResponse; stream: ReturnType<typeof open> }>((resolve) => {
    const body = (response: ServerResponse) => {
      response.write('one\n');
      resolve({ response, stream });
    };
    const stream = open(t, `${clients}${origin.script({ headers: streamHold('busy'), body })}`);
  });
  const stream = await response.stream;
  await stream.until('one\n');
  const [receipt] = await holdfast.publish(streamItem('busy', 'three\n'), streamItem('busy', 'four\n'));
  t.match(receipt, { subscribers: 1 });
  response.response.write('two\n');
  await stream.until('two\n');
  t.equal(stream.text, 'one\ntwo\n', 'nothing gets in between');
  await holdfast.publish(streamItem('busy', 'five\n'));
  response.response.end('end of body\n');
  await stream.until('five\n');
  await holdfast.publish(streamItem('busy', 'six\n'));
  await stream.until('six\n');
  t.equal(stream.text, 'one\ntwo\nend of body\nthree\nfour\nfive\nsix\n');
});

t.test('a close that comes during the initial body comes after it, and after the items before it', async (t) => {
  let finish: () => void = () => {};
  const body = (response: ServerResponse) => {
    response.write('body, ');
    finish = () => response.end('whole\n');
  };
  const stream = await open(t, `${clients}${origin.script({ headers: streamHold('early'), body })}`);
  await stream.until('body, ');
  await holdfast.publish(streamItem('early', 'item\n'), action('early', 'close'), streamItem('early', 'too late\n'));
  finish();
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'body, whole\nitem\n');
});

t.test('an origin that breaks off in the initial body: the client sees that it is incomplete', async (t) => {
  const body = (response: ServerResponse) => {
    response.write('beginning');
    setImmediate(() => response.destroy());
  };
  const stream = await open(t, `${clients}${origin.script({ headers: streamHold('broken'), body })}`);
  t.equal(await stream.end(), 'broken');
  t.match(await holdfast.publish(streamItem('broken', 'x')), [{ subscribers: 0 }]);
});

t.test('several channels: items of each are appended as they are; of one named twice, once', async (t) => {
  const headers = { 'Grip-Hold': 'stream', 'Grip-Channel': ['a, b', 'a; x=y'] };
  const stream = await open(t, `${clients}${origin.script({ headers })}`);
  const binary = Buffer.from([0x0a, 0xc3, 0xa9, 0x0d]);
  await holdfast.publish(
    streamItem('a', '1'),
    { channel: 'b', formats: { 'http-stream': { 'content-bin': binary.toString('base64') } } },
    streamItem('a', ''),
    streamItem('c', 'no'),
    action('a', 'hint'),
    action('a', 'refresh'),
    streamItem('b', '2'),
    action('b', 'close'),
  );
  t.equal(await stream.end(), 'complete', 'ended by its last chunk');
  t.equal(stream.text, '1\né\r2');
});

t.test('the prefix of a route goes before the channels of the instruct, not before those of sub=', async (t) => {
  const path = origin.script({ headers: streamHold('room') });
  const stream = await open(t, `${clients}${path}`, { headers: { Host: 'prefixed' } });
  await holdfast.publish(streamItem('room', 'no'), streamItem('app-room', 'a'), streamItem('app-all', 'no'));
  await holdfast.publish(streamItem('all', 'b'));
  await stream.until('ab');
});

t.test('HTTP/1.0: the stream is not chunked, and ends with the connection', async (t) => {
  const wire = await connectTo(t, clients);
  wire.send(`GET ${origin.script({ headers: streamHold('old'), body: 'opened\n' })} HTTP/1.0`, '');
  await wire.until('opened\n');
  await holdfast.publish(streamItem('old', 'item\n'), action('old', 'close'));
  await wire.closed();
  const [head, body] = wire.text.split('\r\n\r\n');
  t.equal(body, 'opened\nitem\n');
  t.notMatch(head, /transfer-encoding/i);
});

for (const [title, method, status] of [
  ['HEAD', 'HEAD', '200'],
  ['a status that has no body', 'GET', '204'],
] as const) {
  t.test(`${title}: items never put bytes on the connection, which serves the next request`, async (t) => {
    const wire = await connectTo(t, clients);
    const channel = `bodiless-${method}`;
    const headers = streamHold(channel, { 'Grip-Status': status });
    wire.send(`${method} ${origin.script({ headers, body: 'body' })} HTTP/1.1`, 'Host: a', '');
    await wire.until('\r\n\r\n');
    await holdfast.publish(streamItem(channel, 'item'), action(channel, 'close'));
    wire.send(`GET ${origin.script({ body: 'next' })} HTTP/1.1`, 'Host: a', 'Connection: close', '');
    await wire.closed();
    t.match(wire.text, /^HTTP\/1\.1 \d+ [^\r]*\r\n([\w-]+: [^\r]*\r\n)*\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nnext$/);
  });
}

t.test('a client that goes away leaves no hold and no subscription', async (t) => {
  await holdfast.publish(...['head', 'busy', 'app-room'].map((channel) => action(channel, 'close')));
  await holdfast.holds('stream', 0);
  const stream = await open(t, `${clients}${origin.script({ headers: streamHold('gone') })}`);
  await holdfast.holds('stream', 1);
  stream.drop();
  await holdfast.holds('stream', 0);
  t.match(await holdfast.publish(streamItem('gone', 'nobody')), [{ subscribers: 0 }]);
  t.equal(await holdfast.metric('holdfast_channels'), 0);
});

t.test('keep-alives: raw, cstring, base64 and JSON, each at most its time-out apart', async (t) => {
  const keepAlive = (value: string) => origin.script({ headers: streamHold('quiet', { 'Grip-Keep-Alive': value }) });
  const instruct = {
    hold: {
      mode: 'stream',
      channels: [],
      'keep-alive': { 'content-bin': Buffer.from('bin\n').toString('base64'), timeout: 1 },
    },
  };
  const json = { headers: { 'Content-Type': 'application/grip-instruct' }, body: JSON.stringify(instruct) };
  const cases = [
    [keepAlive('.,; timeout=1'), '.,.,'],
    [keepAlive(String.raw`\x3a\r\n\\; format=cstring; timeout=0`), ':\r\n\\:\r\n\\'],
    [keepAlive('aGkK; format=base64; timeout=1; mode=interval'), 'hi\nhi\n'],
    [origin.script(json), 'bin\nbin\n'],
  ] as const;
  const streams = await Promise.all(cases.map(([path]) => open(t, `${clients}${path}`)));
  await Promise.all(streams.map((stream, i) => stream.until(cases[i]?.[1] ?? '')));
  for (const [i, stream] of streams.entries()) t.match(stream.text, new RegExp(`^(${literal(cases[i]?.[1])})`));
});

const literal = (text = '') => text.replace(/[.\\]/g, '\\$&');

t.test('keep-alives: items put off those of mode idle, which is the default, not those of mode interval', async (t) => {
  const opening = (value: string) =>
    open(t, `${clients}${origin.script({ headers: streamHold('lively', { 'Grip-Keep-Alive': value }) })}`);
  const [idle, interval] = await Promise.all([opening('I; timeout=2'), opening('I; timeout=2; mode=interval')]);
  // Items come far closer than the second that an idle keep-alive waits at least.
  let longest = 0;
  let last = Date.now();
  await until('two keep-alives of mode interval', async () => {
    await holdfast.publish(streamItem('lively', '-'));
    longest = Math.max(longest, Date.now() - last);
    last = Date.now();
    return (interval.text.match(/I/g) ?? []).length >= 2;
  });
  t.ok(longest < 1_000 ? !idle.text.includes('I') : true, `longest pause between items: ${longest} ms`);
  await idle.until('I');
  t.pass('and it comes when the items stop');
});
