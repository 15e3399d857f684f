/** One content for many channels: it goes to Redis once, and stands there with each of them as if it had come alone. */
import { parsePublished } from '@holdfast/grip';
import { Redis } from 'ioredis';
import t from 'tap';
import { encodePayload } from '../../../../dist/backplane/redis/envelope.js';
import { RedisKeys } from '../../../../dist/backplane/redis/keys.js';
import { entriesOf } from '../../../../dist/backplane/redis/publish/entries.js';
import { publishCall } from '../../../../dist/backplane/redis/publish/publish-script.js';
import type { ItemMessage, Message } from '../../../../dist/index.js';
import { streamMessage } from '../../../items.js';
import { startNode } from '../backplane-fixture.js';
import { startRedis } from '../redis-fixture.js';

const CONTENT = 'a "quoted" \n text that is long enough to be found, ü and \u2603';

/** The messages of one item to these channels, with an id of its own or one made for each. */
function messagesTo(channels: readonly string[], id?: string): ItemMessage[] {
  const formats = { 'http-stream': { content: CONTENT }, 'ws-message': { 'content-bin': '/wAB' } };
  const items = parsePublished({ channels, formats, meta: { a: '1' }, ...(id !== undefined && { id }) });
  return items.map((item, i) => ({ type: 'item', item, id: item.id ?? `made${i}` }));
}

/** Texts among the arguments of the script that have the content. */
function timesSent(messages: readonly Message[]): number {
  const keys = new RedisKeys('hf');
  const parts = entriesOf(messages, () => 'r').map((entry) => ({
    keys: entry.message.type === 'item' ? keys.channel(entry.message.item.channel) : keys.recover(),
    entries: [entry],
  }));
  const settings = { node: 'n', historySize: 1, historyTtl: 1, idCacheTtl: 1, sharded: false, queueSize: 1 };
  const { args } = publishCall('f', 1, parts, settings, { key: 'v', version: '' });
  return args.filter((arg) => String(arg).includes('long enough')).length;
}

t.test('the payloads are those that the items have alone', async (t) => {
  const messages: Message[] = [
    ...messagesTo(['a', 'b "q"', '\u2603'], '7'),
    { type: 'recover' },
    ...messagesTo(['c', 'd']),
    streamMessage('e', CONTENT, '8'),
    ...messagesTo(['f'], '7'),
  ];
  const entries = entriesOf(messages, () => 'r');
  t.strictSame(
    entries.map(({ payload }) => payload),
    messages.map((message) => encodePayload(message, message.type === 'item' ? message.id : 'r')),
  );
  t.strictSame(
    entries.map(({ shared }) => shared !== undefined),
    [true, true, true, false, true, true, false, false],
  );
  for (const { payload, shared } of entries) if (shared !== undefined) t.equal(shared.head + shared.tail.text, payload);
});

t.test('the content of one item is one argument, however many channels; of several items one each', async (t) => {
  const many = Array.from({ length: 100 }, (_, n) => `c${n}`);
  t.equal(timesSent(messagesTo(many, '1')), 1);
  t.equal(timesSent(messagesTo(many)), 1);
  t.equal(timesSent([...messagesTo(many, '1'), ...messagesTo(many, '2'), streamMessage('x', CONTENT, '3')]), 3);
  t.equal(timesSent(messagesTo(['a'], '1')), 1);
});

t.test('each channel has the item in its history, and each subscriber gets it', async (t) => {
  const server = await startRedis(t);
  const { backplane, listener } = await startNode(t, server.url, { historySize: 10 });
  const channels = ['a', 'b', '{c}', '\u2603'];
  for (const channel of channels) await backplane.subscribe(channel);
  const messages = [...messagesTo(channels, '7'), ...messagesTo(['a', 'b']), streamMessage('a', 'end')];
  const acceptances = await backplane.publish(messages);
  t.strictSame(
    acceptances.map(({ position }) => position?.offset),
    [1, 1, 1, 1, 2, 2, 3],
  );
  await listener.saw('a/end');
  for (const channel of channels) await listener.saw(`${channel}/7`);
  await listener.saw('b/made1');
  const [first] = messages;
  for (const message of listener.messages) {
    if (message.type !== 'item' || message.id === 'end') continue;
    t.strictSame(message.item.formats, first?.item.formats);
  }
  const redis = new Redis(server.port, '127.0.0.1');
  t.teardown(() => redis.disconnect());
  const keys = new RedisKeys('hf');
  for (const message of messages.slice(0, 4)) {
    const [entry] = await redis.xrange(keys.channel(message.item.channel).stream, '1-0', '1-0');
    t.equal(entry?.[1][1], encodePayload(message, '7'), message.item.channel);
  }
});
