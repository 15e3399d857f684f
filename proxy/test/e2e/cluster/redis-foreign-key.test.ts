/** Another program uses the same prefix in Redis: what publishers, clients and operators see. */
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

t.test('a publish to two channels of which one is refused says which, and it can be sent again', async (t) => {
  const redis = await startRedis(t);
  const origin = await startOrigin(t, (request, response) => {
    response.writeHead(200, streamHold((request.url ?? '').slice(1))).end('open\n');
  });
  const settings = { redis_url: redis.url, log_format: 'json', log_level: 'warn' } as const;
  const node = await startHoldfast(t, { routes: [`* ${origin.target}`], settings });
  const [good, bad] = await Promise.all([open(t, `${node.clients}/good`), open(t, `${node.clients}/bad`)]);
  await Promise.all([good.until('open\n'), bad.until('open\n')]);
  await node.publish(streamItem('bad', 'first\n'));
  await bad.until('first\n');
  const [key] = (await redis.call('KEYS', '*:h:bad')) as [string];
  await redis.call('RENAME', key, 'kept');
  await redis.call('SET', key, 'mine');

  const items = [
    { ...streamItem('bad', 'second\n'), id: '1' },
    { ...streamItem('good', 'item\n'), id: '2' },
  ];
  const post = (accept: string) =>
    ask(t, `${node.control}/publish/`, {
      method: 'POST',
      headers: { Accept: accept },
      body: JSON.stringify({ items }),
    });
  const refused = await post('application/json');
  t.match(refused, { status: 503, headers: { 'retry-after': '1' } });
  t.match(JSON.parse(refused.text), {
    message: 'Backplane unavailable: 1 of 2 items accepted, but not items[0].',
    code: 'ERR_BACKPLANE_UNAVAILABLE',
    items: [
      { id: '1', channel: 'bad', accepted: false },
      { id: '2', channel: 'good', accepted: true, offset: 1, epoch: String },
    ],
  });
  await good.until('item\n');
  t.match(await post('text/plain'), {
    status: 503,
    text: 'Backplane unavailable: 1 of 2 items accepted, but not items[0].\n',
  });
  await until('the operator is told', () =>
    /Redis refused a message of channel \\"bad\\": WRONGTYPE.*another program uses the same prefix/.test(
      node.child.stdout + node.child.stderr,
    ),
  );

  await redis.call('RENAME', 'kept', key);
  const published = await post('application/json');
  t.match(JSON.parse(published.text), {
    items: [
      { id: '1', offset: 2 },
      { id: '2', duplicate: true, offset: 1 },
    ],
  });
  await bad.until('second\n');
  t.equal(bad.text, 'open\nfirst\nsecond\n');
  t.equal(good.text, 'open\nitem\n');
  t.notMatch(node.child.stdout + node.child.stderr, /items lost/, 'no gap was told');
});
