/** A user on several devices, each on another node: any node shows, reaches and ends all of them. */
import t from 'tap';
import { startRedis } from '../../kit/redis.js';
import { idOf } from '../../kit/views-fixture.js';
import { control, idsOf, session, startUsers, stream, userOrigins } from './users-fixture.js';

const routes = await userOrigins(t);
const redis = await startRedis(t);
const nodes = await Promise.all([1, 2, 3].map(() => startUsers(t, routes, { redis_url: redis.url })));
const [one, two, three] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]];

t.test(
  'three devices on three nodes: the list shows three, a message reaches three, and DELETE leaves the one that is excepted',
  async (t) => {
    const phone = await session(t, one, 'user=ann&phone');
    const tablet = await session(t, two, 'user=ann&tablet', '/over');
    const desk = await stream(t, three, 'user=ann&desk');
    const other = await session(t, two, 'user=bob');
    const ids = [
      await idOf(one, '/ws?user=ann&phone'),
      await idOf(two, '/over?user=ann&tablet'),
      await idOf(three, '/stream?user=ann&desk'),
    ] as const;
    const list = await control(two, 'GET', '/users/ann');
    t.match(list, { status: 200, body: { silent: [], cursor: undefined } });
    t.strictSame(idsOf(list), [...ids].sort());
    t.equal(new Set((list.body.connections as { node: string }[]).map(({ node }) => node)).size, 3);

    const paged: string[] = [];
    for (let cursor = ''; ; ) {
      const page = await control(one, 'GET', `/connections?limit=1${cursor}`);
      paged.push(...idsOf(page));
      if (page.body.cursor === undefined) break;
      cursor = `&cursor=${page.body.cursor}`;
    }
    t.strictSame(paged, [...ids, await idOf(two, '/ws?user=bob')].sort(), 'by pages of one, each once');
    t.match((await control(three, 'GET', '/channels?prefix=roo')).body, {
      channels: [{ channel: 'room', subscribers: { response: 0, stream: 1, ws: 2, callback: 0, xmpp: 0 } }],
    });

    const hello = { formats: { 'ws-message': { content: 'hello' }, 'http-stream': { content: 'hello\n' } } };
    t.strictSame(await control(three, 'POST', '/users/ann', hello), {
      status: 200,
      body: {
        message: 'Delivered',
        connections: 3,
        taken: { response: 0, stream: 1, ws: 2, callback: 0, xmpp: 0 },
        silent: [],
      },
    });
    t.equal(await phone.text(), 'hello');
    t.equal(await tablet.text(), 'hello');
    await desk.until('hello\n');
    t.equal(other.untaken, 0);

    t.match(await control(one, 'POST', `/connections/${ids[1]}/subscribe`, { channels: ['own'] }), {
      status: 200,
      body: { channels: ['own'] },
    });
    await three.publish({ channel: 'own', ...hello });
    t.equal(await tablet.text(), 'hello');

    const ended = await control(one, 'DELETE', `/users/ann?code=4001&reason=elsewhere&except=${ids[2]}`);
    t.match(ended, { status: 200, body: { connections: 2, silent: [] } });
    t.strictSame(await phone.end(), { code: 4001, reason: 'elsewhere' });
    t.strictSame(await tablet.end(), { code: 4001, reason: 'elsewhere' });
    t.strictSame(idsOf(await control(two, 'GET', '/users/ann')), [ids[2]]);
    t.match(await control(three, 'POST', `/connections/${ids[0]}`, hello), { status: 410 });
    t.match(await control(three, 'POST', '/connections/never', hello), { status: 404 });
    desk.drop();
    other.vanish();
  },
);
