/** Frames and payloads between nodes of several versions, and what may be wrong with the members that were added to them. */
import { itemToJson, parseItem, readJson } from '@holdfast/grip';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { decodePayload, encodePayload, parseFrame, TIME_MARK } from '../../../dist/backplane/redis/envelope.js';
import { RedisKeys } from '../../../dist/backplane/redis/keys.js';
import type { ItemMessage, Position } from '../../../dist/index.js';
import { streamItem, streamMessage } from '../../items.js';
import { startNode } from './backplane-fixture.js';
import { startRedis, until } from './redis-fixture.js';

const position = { epoch: 'e', offset: 7 };
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** What a node read of a frame before there were time and headers; nodes of that version may share a Redis with ours. */
function earlierReader(frame: string): { readonly position: Position; readonly id: unknown; readonly item: unknown } {
  const end = frame.indexOf('\n');
  const space = frame.indexOf(' ');
  if (space < 1 || end < space || end - space > 100) throw new Error(`an earlier node refuses ${frame}`);
  const offset = Number(frame.slice(0, space));
  if (!Number.isSafeInteger(offset) || offset < 1) throw new Error(`an earlier node refuses ${frame}`);
  const { value } = readJson(frame.slice(end + 1));
  const { id, item } = value as { readonly id: unknown; readonly item?: unknown };
  const read = { epoch: frame.slice(space + 1, end), offset };
  return { position: read, id, item: item === undefined ? undefined : itemToJson(parseItem(item)) };
}

/** What a node published before that. */
function earlierPayload({ id, item }: ItemMessage): string {
  return JSON.stringify({ id, item: itemToJson(item) });
}

const server = await startRedis(t);
let systems = 0;

/** A node with interest in a channel, and another program that listens to its frames. */
async function fixture(t: Test) {
  systems += 1;
  const prefix = `hf${systems}`;
  const node = await startNode(t, server.url, { redisPrefix: prefix });
  const [redis, listening] = [new Redis(server.port, '127.0.0.1'), new Redis(server.port, '127.0.0.1')];
  t.teardown(() => {
    redis.disconnect();
    listening.disconnect();
  });
  const keys = new RedisKeys(prefix).channel('a');
  const frames: string[] = [];
  listening.on('message', (_, frame: string) => frames.push(frame));
  await listening.subscribe(keys.topic);
  await node.backplane.subscribe('a');
  return { ...node, redis, keys, frames };
}

t.test('redis: a node of an earlier version reads what a node publishes now, with headers and without', async (t) => {
  const { backplane, redis, keys, frames } = await fixture(t);
  const item = parseItem({
    channel: 'a',
    id: '1',
    meta: { é: '\u2603' },
    formats: { 'ws-message': { content: '{"time":1}' } },
  });
  const accepted = await backplane.publish([
    { type: 'item', item, id: '1', headers: { traceparent } },
    streamMessage('a', '2'),
  ]);
  await until('both frames', () => frames.length === 2);
  const read = frames.map(earlierReader);
  t.strictSame(
    read,
    [item, streamItem('a', '2', '2')].map((sent, i) => ({
      position: accepted[i]?.position,
      id: sent.id,
      item: itemToJson(sent),
    })),
  );
  const kept = await redis.xrange(keys.stream, '-', '+');
  t.strictSame(
    kept.map(([id, [, payload = '']]) =>
      earlierReader(`${Number.parseInt(id, 10)} ${read[0]?.position.epoch}\n${payload}`),
    ),
    read,
  );
});

t.test('redis: a node delivers what a node of an earlier version publishes, live and from the history', async (t) => {
  const { backplane, listener, redis, keys } = await fixture(t);
  const [first] = await backplane.publish([streamMessage('a', '1')]);
  const epoch = first?.position?.epoch ?? '';
  for (const offset of [2, 3]) {
    const payload = earlierPayload(streamMessage('a', String(offset)));
    await redis.hset(keys.meta, 's', offset);
    await redis.xadd(keys.stream, `${offset}-0`, 'd', payload, 't', '1700000000000', 'i', String(offset));
    // The second is not announced: it is read from the history when the next one comes.
    if (offset === 2) await redis.publish(keys.topic, `${offset} ${epoch}\n${payload}`);
  }
  await listener.saw('a/2');
  await backplane.publish([streamMessage('a', '4')]);
  await listener.saw('a/4');
  t.strictSame(listener.labels, ['a/1', 'a/2', 'a/3', 'a/4']);
  t.strictSame(listener.gaps, []);
});

t.test('redis: a frame has the time of acceptance by the clock of Redis', async (t) => {
  const { backplane, redis, frames } = await fixture(t);
  const now = async () => {
    const [seconds, micros] = (await redis.time()) as unknown as [string | number, string | number];
    return Number(seconds) * 1_000 + Number(micros) / 1_000;
  };
  const before = await now();
  await backplane.publish([streamMessage('a', '1'), { type: 'recover' }]);
  const after = await now();
  await until('the frame', () => frames.length === 1);
  const frame = parseFrame(frames[0] ?? '');
  const { acceptedAt = 0 } = frame ?? {};
  t.ok(before <= acceptedAt && acceptedAt <= after, `${before} ${acceptedAt} ${after}`);
});

t.test('a payload: an item, its headers and a recover are read as they were written', async (t) => {
  const message: ItemMessage = { ...streamMessage('a', '1'), headers: { traceparent, Upper: 'left out' } };
  const { message: read } = decodePayload(encodePayload(message, '1'), position);
  t.strictSame(read, { ...message, position, headers: { traceparent } });
  t.strictSame(decodePayload(encodePayload({ type: 'recover' }, 'r'), position).message, { type: 'recover' });
});

t.test(
  'a payload: members of a later version are passed over, and headers that are none do not cost the item',
  async (t) => {
    const rest = encodePayload(streamMessage('a', '1'), '1').slice(1);
    for (const headers of ['"none"', '[]', 'null', '{"A":"x"}', '{"a":1}']) {
      const { message } = decodePayload(`{"later":{"a":[1]},"headers":${headers},${rest}`, position);
      t.strictSame(message, { ...streamMessage('a', '1'), position }, headers);
    }
  },
);

t.test('property: the time in a frame is read, and does not change the offset that an earlier node reads', async () => {
  const offsets = fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
  const times = fc.oneof(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.constant(Number.MAX_SAFE_INTEGER));
  fc.assert(
    fc.property(offsets, times, fc.string(), (offset, micros, payload) => {
      const frame = `${offset}${TIME_MARK}${micros} e\n${payload}`;
      const read = parseFrame(frame);
      return (
        Number(frame.slice(0, frame.indexOf(' '))) === offset &&
        read?.position.offset === offset &&
        read.position.epoch === 'e' &&
        read.payload === payload &&
        read.acceptedAt === micros / 1_000
      );
    }),
  );
});

t.test('a frame: a time that is none does not cost the item, and other fractions are no offset', async (t) => {
  for (const time of ['', '-1', '0', '1.5', 'x', '1e300', `${'9'.repeat(40)}`])
    t.match(parseFrame(`7${TIME_MARK}${time} e\n{}`), { position, payload: '{}', acceptedAt: undefined }, time);
  for (const offset of [
    '7.5',
    '7.000000000000001',
    `7.5${TIME_MARK}1`,
    `${TIME_MARK}1`,
    `0${TIME_MARK}1`,
    `x${TIME_MARK}1`,
  ])
    t.equal(parseFrame(`${offset} e\n{}`), undefined, offset);
  t.match(parseFrame(`7 e\n{"a":"${TIME_MARK}1 "}`), { position, acceptedAt: undefined }, 'in the payload it is none');
});
