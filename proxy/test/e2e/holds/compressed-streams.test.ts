/** Held streams that go to their clients by gzip, put together from pieces that all of them share. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import { startChild } from '../../kit/child.js';
import { Chromium, hasChromium } from '../../kit/clients/chromium.js';
import { open, openEncoded } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';
import { until } from '../../kit/until.js';
import { makeCuttable } from './cuttable.js';

const isUws = process.env.TEST_EDGE === 'uws';
const origin = await ScriptedOrigin.start(t);
const routes = [`* ${origin.target}`];
const settings = { compress_streams: true, client_half_close_grace: 0 };
const holdfast = await startHoldfast(t, { routes, settings });
const { clients } = holdfast;
const EVENTS = { 'Content-Type': 'text/event-stream' };
const close = (channel: string) => ({ channel, formats: { 'http-stream': { action: 'close' } } });

/** Items of which some are stored, some compressed. */
const LONG = `${'a long item, again and again. '.repeat(100)}\n`;

t.test(
  'gzip: head, initial body and each item are there at once, and the whole is a file that gzip takes',
  async (t) => {
    const headers = streamHold('whole', { ...EVENTS, ETag: '"a"', 'Accept-Ranges': 'bytes', Vary: 'Origin' });
    const path = origin.script({ headers, body: `:opened\n\n${LONG}` });
    const stream = await openEncoded(t, `${clients}${path}`, 'gzip, deflate, br');
    t.match(stream.headers, { 'content-encoding': 'gzip', vary: 'Origin, Accept-Encoding' });
    for (const name of ['etag', 'accept-ranges']) t.notOk(name in stream.headers, name);
    await stream.until(LONG);
    let plain = `:opened\n\n${LONG}`;
    for (let i = 0; i < 20; i++) {
      const item = `data: ${i}${i % 3 === 0 ? LONG : '\n'}\n`;
      plain += item;
      await holdfast.publish(streamItem('whole', item));
      await stream.until(item);
    }
    await holdfast.publish(close('whole'));
    t.equal(await stream.end(), 'complete');
    t.equal(stream.text, plain);
    t.ok(stream.bytes.length < plain.length / 8, `${stream.bytes.length} of ${plain.length} bytes`);
    const file = join(newDirectory(t), 'saved.gz');
    writeFileSync(file, stream.bytes);
    const tested = spawnSync('gzip', ['-t', file]);
    t.equal(tested.status, 0, tested.stderr?.toString());
    t.equal(gunzipSync(stream.bytes).toString(), plain);
  },
);

t.test('one that is cut has been readable up to there', async (t) => {
  let cut: () => void = () => {};
  const body = (response: import('node:http').ServerResponse) => {
    response.write('begun\n');
    cut = () => response.destroy();
  };
  const path = origin.script({ headers: streamHold('cut', { 'Content-Type': 'text/plain' }), body });
  const stream = await openEncoded(t, `${clients}${path}`, 'gzip');
  await stream.until('begun\n');
  cut();
  t.equal(await stream.end(), 'broken');
  t.equal(stream.text, 'begun\n');
});

t.test('many clients, some of them plain, that came at different times: each has what is its own', async (t) => {
  const path = origin.script({ headers: streamHold('many'), body: 'opened\n' });
  const opened = [];
  for (let i = 0; i < 6; i++) {
    const one = await openEncoded(t, `${clients}${path}`, i % 2 === 0 ? 'gzip' : undefined);
    await one.until('opened\n');
    opened.push(one);
    await holdfast.publish(streamItem('many', `${i} ${LONG}`), streamItem('many', `short ${i}\n`));
  }
  await holdfast.publish(close('many'));
  for (const [i, one] of opened.entries()) {
    t.equal(await one.end(), 'complete');
    const items = [0, 1, 2, 3, 4, 5].slice(i).map((n) => `${n} ${LONG}short ${n}\n`);
    t.equal(one.text, `opened\n${items.join('')}`);
    t.equal(one.headers['content-encoding'], i % 2 === 0 ? 'gzip' : undefined);
  }
});

t.test('without gzip among what is accepted the bytes are those of a Holdfast without the option', async (t) => {
  const other = await startHoldfast(t, { routes, settings: { client_half_close_grace: 0 } });
  const path = origin.script({ headers: streamHold('plain', { ...EVENTS, ETag: '"a"' }), body: ':opened\n\n' });
  const received = async (url: string, ...lines: string[]) => {
    const wire = await connectTo(t, url);
    wire.send(`GET ${path} HTTP/1.1`, 'Host: a', 'Connection: close', ...lines, '');
    return wire;
  };
  const without = await received(other.clients);
  const accepts = [
    [],
    ['Accept-Encoding: gzip;q=0'],
    ['Accept-Encoding: identity, gzip;q=0.5'],
    ['Accept-Encoding: br'],
  ];
  const all = await Promise.all(accepts.map((lines) => received(clients, ...lines)));
  await Promise.all([without, ...all].map((wire) => wire.until(':opened')));
  for (const node of [other, holdfast]) await node.publish(streamItem('plain', LONG), close('plain'));
  await Promise.all([without, ...all].map((wire) => wire.closed()));
  const comparable = (text: string) => text.replace(/^date: .*$/gim, '');
  for (const wire of all) t.equal(comparable(wire.text), comparable(without.text));
});

t.test('an HTTP/1.0 client gets plain bytes, whatever it says', { skip: isUws && 'not with uws' }, async (t) => {
  const path = origin.script({ headers: streamHold('old'), body: 'opened\n' });
  const wire = await connectTo(t, clients);
  wire.send(`GET ${path} HTTP/1.0`, 'Host: a', 'Accept-Encoding: gzip', '');
  await wire.until('opened\n');
  await holdfast.publish(streamItem('old', 'item\n'), close('old'));
  await wire.closed();
  t.match(wire.text, /\r\n\r\nopened\nitem\n$/);
  t.notMatch(wire.text, /content-encoding/i);
});

t.test('what may not be compressed is not: no-transform, cookies, other types, what is encoded', async (t) => {
  const refusals: Record<string, string>[] = [
    { 'Cache-Control': 'no-store, no-transform' },
    { 'Set-Cookie': 'a=b' },
    { 'Content-Type': 'image/png' },
  ];
  for (const refusal of refusals) {
    const headers = streamHold('not', { 'Content-Type': 'text/event-stream', ...refusal });
    const path = origin.script({ headers, body: 'opened\n' });
    const stream = await openEncoded(t, `${clients}${path}`, 'gzip');
    t.equal(stream.headers['content-encoding'], undefined, JSON.stringify(refusal));
    await stream.until('opened\n');
    stream.drop();
  }
  const path = origin.script({ headers: streamHold('not', EVENTS), body: 'opened\n' });
  const stream = await openEncoded(t, `${clients}${path}`, 'gzip', { headers: { 'Cache-Control': 'no-transform' } });
  t.equal(stream.headers['content-encoding'], undefined, 'the client forbids it');
});

t.test('keep-alives are there at once', async (t) => {
  const headers = streamHold('alive', { ...EVENTS, 'Grip-Keep-Alive': ':alive\\n\\n; format=cstring; timeout=1' });
  const path = origin.script({ headers, body: '' });
  const stream = await openEncoded(t, `${clients}${path}`, 'gzip');
  await stream.until(':alive\n\n:alive\n\n');
  t.equal(stream.text.replaceAll(':alive\n\n', ''), '', 'nothing else, no comment of the edge either');
});

t.test('filters see plain text', async (t) => {
  const of = (user: string) => {
    const headers = streamHold('own; filter=var-subst', { 'Grip-Set-Meta': `user=${user}` });
    return openEncoded(t, `${clients}${origin.script({ headers, body: 'opened\n' })}`, 'gzip');
  };
  const [ann, bob] = await Promise.all([of('ann'), of('bob')]);
  await Promise.all([ann.until('opened\n'), bob.until('opened\n')]);
  await holdfast.publish(streamItem('own', `for %(user)s: ${LONG}`));
  await Promise.all([ann.until(`for ann: ${LONG}`), bob.until(`for bob: ${LONG}`)]);
});

t.test('a next link goes on in the same gzip stream', async (t) => {
  const last = origin.script({ headers: streamHold('linked'), body: 'three\n' });
  const second = origin.script({ headers: { 'Grip-Link': `<${last}>; rel=next` }, body: `two ${LONG}` });
  const first = { 'Content-Type': 'text/plain', 'Grip-Link': `<${second}>; rel=next` };
  const stream = await openEncoded(t, `${clients}${origin.script({ headers: first, body: 'one\n' })}`, 'gzip');
  await stream.until('three\n');
  await holdfast.publish(streamItem('linked', 'four\n'), close('linked'));
  t.equal(await stream.end(), 'complete');
  t.equal(gunzipSync(stream.bytes).toString(), `one\ntwo ${LONG}three\nfour\n`);
});

t.test(
  'client_queue_size counts what is sent: a client that stands still is not cut for what has become short',
  async (t) => {
    const node = await startHoldfast(t, { routes, settings: { ...settings, client_queue_size: 262_144 } });
    const path = origin.script({ headers: streamHold('slow'), body: 'opened\n' });
    const gzip = await openEncoded(t, `${node.clients}${path}`, 'gzip');
    const plain = await openEncoded(t, `${node.clients}${path}`, undefined);
    await Promise.all([gzip.until('opened\n'), plain.until('opened\n')]);
    gzip.stall();
    plain.stall();
    const dropped = 'holdfast_items_dropped_total{kind="stream",reason="slow-client"}';
    const item = `${'.'.repeat(65_536)}\n`;
    let count = 0;
    while ((await node.metric(dropped)) === 0 && count < 400) {
      await node.publish(streamItem('slow', item));
      count++;
    }
    t.equal(await node.metric(dropped), 1, 'the plain client');
    gzip.resume();
    await node.publish(close('slow'));
    t.equal(await gzip.end(), 'complete');
    t.equal(gzip.text.length, 'opened\n'.length + count * item.length);
  },
);

t.test('an EventSource that is cut off again and again loses no event: what it missed is compressed too', async (t) => {
  const node = await startHoldfast(t, { routes, settings: { ...settings, history_replay: true } });
  const path = origin.script({ headers: streamHold('events', EVENTS), body: 'retry: 5\n\n' });
  const wire = await makeCuttable(t, node.clients);
  const source = new EventSource(`${wire.url}${path}`);
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data).slice(0, 10)));
  await node.holds('stream', 1);
  const count = 120;
  for (let i = 1; i <= count; i++) {
    await node.publish(streamItem('events', `data: ${i}${i % 2 === 0 ? '' : ' '.repeat(2_000)}\n\n`));
    if (i === 1) await until('the first event', () => received.length === 1);
    if (i % 40 === 25) wire.cut();
  }
  await until(
    'all events',
    () => received.length >= count,
    () => `${received.length} so far`,
  );
  t.strictSame(
    received.map(Number),
    Array.from({ length: count }, (_, i) => i + 1),
  );
  t.match(origin.seen(path).at(-1)?.headers['last-event-id'], /^[\w-]+$/);
  const asked = await open(t, `${node.clients}${path}`, { headers: { 'Accept-Encoding': 'gzip' } });
  t.equal(asked.headers['content-encoding'], 'gzip');
});

t.test('curl --compressed shows each item at once', async (t) => {
  const path = origin.script({ headers: streamHold('curl'), body: 'opened\n' });
  const args = ['--disable', '--noproxy', '*', '--silent', '--no-buffer', '--compressed', '--max-time', '30'];
  const curl = startChild(t, { command: 'curl', args: [...args, `${clients}${path}`] });
  await curl.line(/opened\n/);
  for (const item of ['short\n', `${LONG}end of it\n`, 'last\n']) {
    await holdfast.publish(streamItem('curl', item));
    await until(
      'the item',
      () => curl.stdout.endsWith(item),
      () => curl.stdout,
    );
  }
  await holdfast.publish(close('curl'));
  t.equal((await curl.exited).code, 0);
});

async function inChromium(t: Test): Promise<void> {
  const page = origin.script({ headers: { 'Content-Type': 'text/html' }, body: '<title>events</title>' });
  const path = origin.script({ headers: streamHold('browser', EVENTS), body: ':opened\n\n' });
  const tab = await (await Chromium.start(t)).open(`${clients}${page}`);
  await tab.evaluate(`(() => {
    globalThis.events = [];
    const source = new EventSource('${path}');
    source.onopen = () => { globalThis.isOpen = true; };
    source.onmessage = ({ data }) => events.push(data.length);
  })()`);
  await tab.until('globalThis.isOpen === true');
  await holdfast.holds('stream', 1);
  for (let i = 1; i <= 10; i++) {
    const data = i % 2 === 0 ? 'x'.repeat(i) : 'x'.repeat(1_000 * i);
    await holdfast.publish(streamItem('browser', `data: ${data}\n\n`));
    // Each before the next one is published: nothing may be kept back for more.
    await tab.until(`events.length === ${i} && events.at(-1) === ${data.length}`);
  }
  t.equal(await tab.evaluate(`fetch('${path}').then(({ headers }) => headers.get('content-encoding'))`), 'gzip');
  await holdfast.publish(close('browser'));
}

if (hasChromium()) t.test("Chromium's EventSource gets each event at once", inChromium);
else console.error('WARNING: chromium is not installed: compressed streams are not tested with a browser');
