/** Events of three nodes that share a Redis: decided over all of them, whichever ends, and however many clients leave at once. */
import t, { type Test } from 'tap';
import { type Answer, open } from '../../kit/clients/http-client.js';
import { EventReceiver, isOrdered } from '../../kit/event-receiver.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

const redis = await startRedis(t);
const receiver = await EventReceiver.start(t);
const origin = await startOrigin(t, (request, response) => {
  const channels = new URL(request.url ?? '', 'http://origin').searchParams.getAll('channel');
  response.writeHead(200, { ...streamHold('x'), 'Grip-Channel': channels.join(', ') }).end('opened\n');
});
const start = () =>
  startHoldfast(t, {
    settings: {
      ...receiver.settings('channel_occupied,channel_vacated', { events_vacated_delay: '1s' }),
      redis_url: redis.url,
      log_format: 'json',
      client_half_close_grace: 0,
      connection_subscription_max: 100,
    },
    routes: [`* ${origin.target}`],
  });
const [one, two, three] = await Promise.all([start(), start(), start()]);

async function client(t: Test, node: Holdfast, channels: readonly string[]): Promise<Answer> {
  const answer = await open(t, `${node.clients}/?${channels.map((channel) => `channel=${channel}`).join('&')}`);
  await answer.until('opened\n');
  return answer;
}

const of = (channel: string) =>
  receiver.events.filter((event) => event.channel === channel).map(({ type }) => String(type).slice('channel_'.length));

t.test('a channel with clients on several nodes is occupied once, and vacated when the last has gone', async (t) => {
  const clients = await Promise.all([one, two, three].map((node) => client(t, node, ['shared'])));
  await until('occupied', () => of('shared').length === 1);
  for (const answer of clients.slice(0, 2)) answer.drop();
  // Another channel on the same way shows that nothing came of it.
  (await client(t, one, ['passing'])).drop();
  await until('the other is vacated', () => of('passing').includes('vacated'));
  t.strictSame(of('shared'), ['occupied']);
  clients[2]?.drop();
  await until('vacated', () => of('shared').length === 2);
  t.strictSame(of('shared'), ['occupied', 'vacated']);
});

t.test('who goes from one node to another makes no event', async (t) => {
  const first = await client(t, one, ['moving']);
  await until('occupied', () => of('moving').length === 1);
  first.drop();
  const second = await client(t, two, ['moving']);
  (await client(t, one, ['later'])).drop();
  await until('the other is vacated', () => of('later').includes('vacated'));
  t.strictSame(of('moving'), ['occupied']);
  second.drop();
  await until('vacated', () => of('moving').length === 2);
});

t.test(
  'many clients that leave at once make a few posts, and each channel is vacated once, though Redis answers late',
  async (t) => {
    const names = Array.from({ length: 10_000 }, (_, n) => `many-${n}`);
    const parts = Array.from({ length: 100 }, (_, n) => names.slice(n * 100, (n + 1) * 100));
    const [firstEvent, firstPost] = [receiver.total, receiver.posts.length];
    const all = (what: string, count: number) =>
      until(
        what,
        () => receiver.total - firstEvent >= count,
        () => `${receiver.total - firstEvent} of ${count}`,
      );
    const clients = await Promise.all(parts.map((part) => client(t, one, part)));
    await all('all are occupied', names.length);
    const leaving = receiver.posts.length;
    // The first reports, after the delay of 1 s, are given up before they are answered.
    await redis.call('CLIENT', 'PAUSE', '4000');
    for (const answer of clients) answer.drop();
    await all('all are vacated', 2 * names.length);
    const seen = new Map<unknown, string>();
    for (const { channel, type } of receiver.posts.slice(firstPost).flatMap(({ events }) => events)) {
      seen.set(channel, `${seen.get(channel) ?? ''}${type} `);
    }
    t.strictSame(
      names.filter((name) => seen.get(name) !== 'channel_occupied channel_vacated '),
      [],
    );
    t.equal(seen.size, names.length);
    const posts = receiver.posts.length - leaving;
    t.ok(posts <= 300, `${posts} posts for ${names.length} events`);
  },
);

t.test('of a node that is killed, what it alone had is vacated, once, and nothing else', async (t) => {
  const lonely = ['lonely-1', 'lonely-2', 'lonely-3'];
  await client(t, three, [...lonely, 'both', 'saved']);
  await client(t, one, ['both']);
  await until('all are occupied', () => [...lonely, 'both', 'saved'].every((channel) => of(channel).length === 1));
  three.child.signal('SIGKILL');
  await three.child.exited;
  await client(t, two, ['saved']);
  await until('they are vacated', () => lonely.every((channel) => of(channel).includes('vacated')));
  // A whole second in which the other nodes could have said it too.
  (await client(t, two, ['last'])).drop();
  await until('another is vacated', () => of('last').includes('vacated'));
  for (const channel of lonely) t.strictSame(of(channel), ['occupied', 'vacated']);
  t.strictSame(of('both'), ['occupied']);
  t.strictSame(of('saved'), ['occupied']);
});

t.test('the numbers of each channel have grown all the time', async (t) => {
  const bySeq = [...receiver.events].sort((a, b) => Number(a.seq) - Number(b.seq));
  for (const channel of ['shared', 'moving', 'lonely-1']) {
    t.strictSame(
      bySeq.filter((event) => event.channel === channel).map(({ type }) => type),
      ['channel_occupied', 'channel_vacated'],
    );
  }
  t.ok(isOrdered(bySeq));
  const many = bySeq.filter(({ channel }) => String(channel).startsWith('many-'));
  t.equal(many.length, 20_000, 'and none of the many has had more events since');
});
