/** What others have put into Redis: a node logs it, and goes on. */
import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MAX_JSON_DEPTH } from '@holdfast/grip';
import t from 'tap';
import { parseFrame } from '../../../dist/backplane/redis/envelope.js';
import { RANGE_BYTES } from '../../../dist/backplane/redis/limits.js';
import { streamItem, streamMessage } from '../../items.js';
import { startBesideOther } from './backplane-fixture.js';
import { startRedis, until } from './redis-fixture.js';

const server = await startRedis(t);
const item = (members: object) => ({ channel: 'a', formats: { 'http-stream': { content: '' } }, ...members });
const deep = '['.repeat(200_000) + ']'.repeat(200_000);

const poisons: Readonly<Record<string, string>> = {
  'no JSON': '{',
  'a text': '"text"',
  'no id': JSON.stringify({ item: item({}) }),
  'an id that is too long': JSON.stringify({ id: 'x'.repeat(100_000), item: item({}) }),
  'a name that is too long': JSON.stringify({ id: '1', item: item({ channel: 'x'.repeat(100_000) }) }),
  'an item that is none': JSON.stringify({ id: '1', item: { channel: 'a' } }),
  'a patch that is none': JSON.stringify({
    id: '1',
    item: item({ formats: { 'http-response': { 'body-patch': [{ op: 'add', path: '/a' }] } } }),
  }),
  [`more than ${MAX_JSON_DEPTH} levels`]: `{"id":"1","item":{"channel":"a","formats":${deep}}}`,
  'more values than any': `{"id":"1","item":[${'0,'.repeat(600_000)}0]}`,
};

for (const [what, payload] of Object.entries(poisons)) {
  t.test(`redis: a message with ${what} is counted, logged and passed over`, async (t) => {
    const { backplane, listener, events, log, redis, keys, epoch } = await startBesideOther(t, server);
    // As a script of another program would: it takes an offset, so that a gap is where it was.
    await redis.hincrby(keys.meta, 's', 1);
    await redis.xadd(keys.stream, '2-0', 'd', payload, 't', '1');
    await redis.publish(keys.topic, `2 ${epoch}\n${payload}`);
    await until('the gap', () => listener.gaps.length > 0);
    await backplane.publish([streamMessage('a', 'next')]);
    await listener.saw('a/next');
    t.same(listener.labels, ['a/first', 'a/next']);
    t.match(listener.gaps, [{ channel: 'a', after: { offset: 1 }, until: { offset: 2 } }]);
    t.equal(events.counts.unreadable, 1);
    t.match(log.at('error'), [
      { message: 'a message in redis cannot be read', fields: { channel: 'a', fault: String } },
    ]);
  });
}

t.test('redis: a frame that is none, or has an endless epoch, is counted and dropped', async (t) => {
  const { backplane, listener, events, redis, keys } = await startBesideOther(t, server);
  for (const frame of ['', 'x', '\n', '1 \n', `2 ${'e'.repeat(10_000)}\n{}`, '-1 e\n{}', '1e3 e\nx']) {
    await redis.publish(keys.topic, frame);
  }
  await backplane.publish([streamMessage('a', 'next')]);
  await listener.saw('a/next');
  t.ok((events.counts.unreadable ?? 0) >= 3);
});

t.test('redis: an entry without its fields does not keep a channel from opening', async (t) => {
  const { backplane, redis, listener, keysOf } = await startBesideOther(t, server);
  const keys = keysOf('b');
  await backplane.publish([streamMessage('b', '1')]);
  await redis.hincrby(keys.meta, 's', 1);
  await redis.xadd(keys.stream, '2-0', 'x', '');
  await backplane.subscribe('b');
  await backplane.publish([streamMessage('b', '3')]);
  await listener.saw('b/3');
  t.ok(listener.labels.includes('b/3'));
});

t.test('redis: a history of large items is read in parts of only so many bytes', async (t) => {
  const { backplane, epoch } = await startBesideOther(t, server);
  const content = randomBytes(RANGE_BYTES / 8).toString('hex');
  for (let i = 0; i < 12; i++) {
    await backplane.publish([{ type: 'item', item: streamItem('a', content, `l${i}`), id: `l${i}` }]);
  }
  const seen: number[] = [];
  const pages: number[] = [];
  let end = { epoch, offset: 1 };
  for (;;) {
    const page = await backplane.read('a', { after: end }, 500);
    if (page === undefined) break;
    pages.push(page.messages.length);
    seen.push(...page.messages.map(({ position }) => position?.offset ?? 0));
    end = page.end;
    if (page.complete) break;
  }
  t.same(
    seen,
    Array.from({ length: 12 }, (_, i) => i + 2),
  );
  t.ok(Math.max(...pages) <= 5);
});

t.test('redis: an item larger than a part is read all the same', async (t) => {
  const { backplane, epoch } = await startBesideOther(t, server);
  const content = 'x'.repeat(RANGE_BYTES + 1);
  for (const id of ['1', '2']) await backplane.publish([{ type: 'item', item: streamItem('a', content, id), id }]);
  t.match(await backplane.read('a', { after: { epoch, offset: 1 } }, 500), { end: { offset: 2 }, complete: false });
  t.match(await backplane.read('a', { after: { epoch, offset: 2 } }, 500), { end: { offset: 3 }, complete: true });
});

t.test('redis: where channels stand keeps none of their messages in memory', async (t) => {
  const frames = Array.from({ length: 100 }, (_, i) =>
    Buffer.from(`1 a-rather-long-epoch-${i}\n${'x'.repeat(500_000)}`),
  );
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  const before = process.memoryUsage().heapUsed;
  const positions = frames.map((frame) => parseFrame(frame.toString())?.position);
  collect();
  const taken = process.memoryUsage().heapUsed - before;
  t.equal(positions[99]?.epoch, 'a-rather-long-epoch-99');
  t.ok(taken < 5_000_000, `${taken} bytes are taken`);
});
