/** The limits of a publish, by every way in: how channels may be called, and how many items there may be. */
import { encodePacket, encodeTnetstring } from '@holdfast/grip';
import t from 'tap';
import { ChannelTaps, type ClusterViews, LocalBackplane, silentLog } from '../dist/index.js';
import { publishBody, startControl } from './control-fixture.js';
import { ManualClock } from './manual-clock.js';
import { ANY, openSockets, push, req, until, xpub } from './zmq/zeromq-fixture.js';

const limits = { channelNameMax: 255, idsMax: 3 };
const item = (channel: string) => ({ channel, formats: { 'http-stream': { content: 'x' } } });
/** Of 255 and 256 bytes. */
const [longest, tooLong] = [`${'é'.repeat(127)}x`, 'é'.repeat(128)];
/** Names with a control character, of each kind. */
const controls = ['a\0', '\n', 'a\u001fb', '\u007f', '\u0085'];

t.test(
  'over HTTP: the longest name and as many items as may be are published, one more of either is not',
  async (t) => {
    const { ask, listener, events } = await startControl(t, { limits });
    const json = { accept: 'application/json' };
    t.equal((await ask('POST', '/publish/', {}, publishBody([longest, '1']))).status, 200);
    t.equal((await ask('POST', '/publish/', {}, publishBody(['a', '1'], ['a', '2'], ['a', '3']))).status, 200);
    const published = listener.labels.length;
    const text = `Invalid format: items[1]: channel name '${'é'.repeat(40)}…' is longer than 255 bytes (channel_name_max)`;
    const refused = await ask('POST', '/publish/', json, publishBody(['a', '4'], [tooLong, '5']));
    t.equal(refused.status, 400);
    t.strictSame(JSON.parse(refused.body), { message: text, code: 'ERR_GRIP_ITEM' });
    for (const name of controls) {
      const answer = await ask('POST', '/publish/', json, publishBody([name, '6'], ['a', '7']));
      t.match(JSON.parse(answer.body), {
        message: /^Invalid format: items\[0\]: .*'.*\?b?' contains a control character/,
      });
      t.equal(answer.status, 400);
    }
    const many = await ask('POST', '/publish/', json, publishBody(['a', '1'], ['a', '2'], ['a', '3'], ['a', '4']));
    t.equal(many.status, 413);
    t.strictSame(JSON.parse(many.body), {
      message: 'Too many items: 4, where one publish may have 3 (ids_max).',
      code: 'ERR_CONTROL_ITEMS',
    });
    t.equal(listener.labels.length, published, 'nothing of a publish that is refused');
    const names = Array.from({ length: 6 }, () => ['limited channel_name_max', 'rejected ERR_GRIP_ITEM']).flat();
    t.strictSame(events.seen.slice(2), [...names, 'limited ids_max', 'rejected ERR_CONTROL_ITEMS']);
  },
);

t.test('the names of views are those of channels', async (t) => {
  const answer = { status: 200, message: 'OK', view: { name: 'a' } };
  const cluster = { answer: async () => answer } as unknown as ClusterViews;
  const taps = new ChannelTaps(() => new LocalBackplane(silentLog), new ManualClock());
  const { ask, events } = await startControl(t, { channelNameMax: 255, views: { cluster, taps } });
  t.equal((await ask('GET', `/channels/${encodeURIComponent(longest)}`)).status, 200);
  for (const name of [tooLong, ...controls]) {
    for (const path of [`/channels/${encodeURIComponent(name)}`, `/channels/${encodeURIComponent(name)}/items`]) {
      const { status, body } = await ask('GET', path);
      t.equal(status, 400);
      t.match(JSON.parse(body), {
        code: 'ERR_CONTROL_NAME',
        message: /^Bad name in the path: .* \(channel_name_max\)\.$/,
      });
    }
  }
  t.equal(events.seen.filter((event) => event === 'limited channel_name_max').length, 12);
  t.equal((await ask('GET', `/connections/${'x'.repeat(300)}`)).status, 200, 'connections have other names');
});

t.test('over ZeroMQ: an item is dropped with a line in the log, a command is refused', async (t) => {
  const specs = { commandSpec: ANY, pushInSpec: ANY, pushInSubSpecs: [ANY] };
  const { listener, events, log, uri } = await openSockets(t, specs, { limits });
  const pusher = push(t, uri('publish items'));
  for (const name of [tooLong, 'a\n', 'a']) await pusher.send(encodePacket(item(name), 'json'));
  await until('an item', () => listener.labels.length === 1);
  const lines = log.lines.filter(({ message }) => message === 'ZeroMQ item dropped');
  t.match(lines, [
    { level: 'warn', fields: { code: 'ERR_GRIP_ITEM', reason: /is longer than 255 bytes \(channel_name_max\)$/ } },
    { level: 'warn', fields: { code: 'ERR_GRIP_ITEM', reason: /contains a control character \(channel_name_max\)$/ } },
  ]);
  const commands = req(t, uri('commands'));
  const ask = async (...names: string[]) => {
    await commands.send(encodeTnetstring({ id: '1', method: 'publish', args: { items: names.map(item) } }));
    return String((await commands.receive())[0]);
  };
  t.match(await ask('a', 'a', 'a'), /success,4:true/);
  t.match(await ask('a', tooLong), /bad-request.*Invalid format: items\[1\]: channel name/);
  t.match(await ask('a', 'a', 'a', 'a'), /bad-request.*Too many items: 4, where one publish may have 3 \(ids_max\)/);
  t.equal(listener.labels.length, 4);
  const counted = events.seen.filter((event) => !event.startsWith('published'));
  const name = ['limited channel_name_max', 'rejected ERR_GRIP_ITEM'];
  t.strictSame(counted, [...name, ...name, ...name, 'limited ids_max', 'rejected ERR_CONTROL_ITEMS']);
});

t.test('over ZeroMQ SUB the topic is the name', async (t) => {
  const { listener, events, sockets, uri } = await openSockets(t, { pushInSubSpecs: [ANY] }, { limits });
  const publisher = xpub(t, uri('published items'));
  sockets.subscribed('a');
  await publisher.receive();
  for (const topic of [`a${tooLong}`, 'a\n', 'a']) await publisher.send([topic, encodePacket(item(''), 'json')]);
  await until('an item', () => listener.labels.length === 1);
  t.equal(events.seen.filter((event) => event === 'limited channel_name_max').length, 2);
});

t.test('without limits every name passes, and any number of items', async (t) => {
  const { ask, events } = await startControl(t);
  const items = Array.from({ length: 1_000 }, (_, i) => [controls[i % 5] as string, String(i)] as const);
  t.equal((await ask('POST', '/publish/', {}, publishBody(...items, [tooLong, 'x']))).status, 200);
  t.strictSame(events.seen, ['published 1001']);
});
