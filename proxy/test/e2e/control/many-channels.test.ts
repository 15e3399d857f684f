/** One item to many channels, over HTTP: two nodes with a Redis, and a key that covers some channels only. */
import t from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { streamItem } from '../../kit/holdfast.js';
import { startRedis } from '../../kit/redis.js';
import { startViews } from '../../kit/views-fixture.js';
import { entries, publish, SECRET, start } from './keys/keys-fixture.js';

t.test('one item reaches the clients of all its channels on every node, and has a receipt for each', async (t) => {
  const redis = await startRedis(t);
  const settings = { redis_url: redis.url };
  const [one, two] = await Promise.all([startViews(t, settings), startViews(t, { ...settings, workers: 2 })]);
  const streams = await Promise.all([
    open(t, `${one.clients}/stream?channel=a`),
    open(t, `${two.clients}/stream?channel=a`),
    open(t, `${two.clients}/stream?channel=b`),
  ]);
  for (const stream of streams) await stream.until('opened\n');
  const { formats } = streamItem('', 'item\n');
  const item = { channels: ['a', 'b', 'nobody', 'a'], id: '1', formats };
  const receipts = await one.publish(item, streamItem('a', 'last\n'), streamItem('b', 'last\n'));
  t.match(receipts.slice(0, 3), [
    { id: '1', channel: 'a', nodes: 2, offset: 1 },
    { id: '1', channel: 'b', nodes: 1, offset: 1 },
    { id: '1', channel: 'nobody', nodes: 0, offset: 1 },
  ]);
  t.equal(receipts.length, 5);
  for (const stream of streams) await stream.until('opened\nitem\nlast\n');

  // By its id it is known on each channel, whichever node takes it.
  const again = await two.publish({ channels: ['b', 'c'], id: '1', formats });
  t.match(again, [
    { channel: 'b', duplicate: true, offset: 1 },
    { channel: 'c', nodes: 0, offset: 1 },
  ]);
});

t.test('one channel that the key does not cover refuses the item for all', async (t) => {
  const { holdfast } = await start(t, entries);
  const stream = await open(t, `${holdfast.clients}/`);
  await stream.until('opened\n');
  const { formats } = streamItem('', 'refused\n');
  const headers = { 'x-api-key': SECRET, accept: 'application/json' };
  const refused = await publish(holdfast, headers, { channels: ['room', 'app-1', 'news'], formats });
  t.equal(refused.status, 403);
  t.match(JSON.parse(refused.text), { code: 'ERR_CONTROL_FORBIDDEN', channel: 'news' });
  const taken = await publish(
    holdfast,
    headers,
    { channels: ['app-1', 'room'], formats: streamItem('', 'taken\n').formats },
    streamItem('room', 'last\n'),
  );
  t.equal(taken.status, 200);
  await stream.until('opened\ntaken\nlast\n');
});
