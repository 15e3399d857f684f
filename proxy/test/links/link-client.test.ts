/** Where links go: by the route of the client, or to the host that they name. */
import t, { type Test } from 'tap';
import { HoldScene, type HoldSceneOptions } from '../holds/hold-scene.js';
import { PullOrigin } from '../holds/pull-origin.js';
import { deadPort } from '../ports.js';

/** A stream that was asked for at this path, with this next link; then the link is fetched. */
async function fetchLink(
  t: Test,
  options: HoldSceneOptions,
  link: (scene: HoldScene) => string,
  asking: { path?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<HoldScene> {
  const scene = await HoldScene.open(t, options);
  const { path = '/', headers = {} } = asking;
  const answer = scene.ask(path, { headers });
  const asked = await scene.asked();
  asked.answer({
    headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c', 'Grip-Link': `<${link(scene)}>; rel=next; timeout=0` },
  });
  await answer;
  await scene.timers(1);
  scene.clock.advance(0);
  scene.clock.advance(100);
  return scene;
}

t.test('a link to the client’s scheme, host and port goes by its route: rewritten, with its fields', async (t) => {
  const options = { route: 'path_beg=/app,replace_beg=/v1,as_host=origin.example,header=X-Route:yes' };
  const scene = await fetchLink(t, options, () => '/app/items?after=1', {
    path: '/app/stream',
    headers: { Host: 'Public.example:8080', Cookie: 'c' },
  });
  const next = await scene.asked();
  t.match(next, { method: 'GET', url: '/v1/items?after=1' });
  t.match(next.headers, { host: 'origin.example', 'x-route': 'yes', cookie: undefined, 'x-forwarded-for': undefined });
});

t.test('an absolute link to the same place goes by the route, too, whatever the case of its host', async (t) => {
  const scene = await fetchLink(t, {}, () => 'http://PUBLIC.example/items', { headers: { Host: 'public.EXAMPLE' } });
  t.equal((await scene.asked()).url, '/items');
});

t.test(
  'a link to another host goes there: signed, its own Host, without what the route does to requests',
  async (t) => {
    const other = await PullOrigin.open(t);
    const options = { sigKey: 'secret', route: 'path_rem=3,header=X-Route:yes,as_host=origin.example' };
    const scene = await fetchLink(t, options, () => `http://127.0.0.1:${other.port}/a/b?c`, { path: '/v1/x' });
    const next = await other.next();
    t.match(next, { method: 'GET', url: '/a/b?c' });
    t.match(next.headers, { host: `127.0.0.1:${other.port}`, 'x-route': undefined, cookie: undefined });
    t.ok(next.headers['grip-sig'], 'signed as the requests of the route are');
    t.equal(scene.origin.all.length, 1);
  },
);

t.test('another port is another place', async (t) => {
  const other = await PullOrigin.open(t);
  await fetchLink(t, {}, () => `http://127.0.0.1:${other.port}/x`, { headers: { Host: '127.0.0.1' } });
  t.equal((await other.next()).url, '/x');
});

t.test('a link outside of the route’s path goes to the client’s host over the network', async (t) => {
  const other = await PullOrigin.open(t);
  const scene = await fetchLink(t, { route: 'path_beg=/app' }, () => '/elsewhere', {
    path: '/app/x',
    headers: { Host: `127.0.0.1:${other.port}` },
  });
  t.equal((await other.next()).url, '/elsewhere');
  t.equal(scene.origin.all.length, 1);
});

t.test('what another host names relatively is at that host, not at the client’s', async (t) => {
  const other = await PullOrigin.open(t);
  const scene = await fetchLink(t, {}, () => `http://127.0.0.1:${other.port}/a/first`);
  (await other.next()).answer({ headers: { 'Grip-Link': '<second>; rel=next' } });
  const second = await other.next();
  t.equal(second.url, '/a/second');
  t.equal(scene.origin.all.length, 1);
});

t.test('another host may lead back to the client’s', async (t) => {
  const other = await PullOrigin.open(t);
  const scene = await fetchLink(t, {}, () => `http://127.0.0.1:${other.port}/x`);
  (await other.next()).answer({ headers: { 'Grip-Link': `<${scene.url}/back>; rel=next` } });
  t.equal((await scene.asked()).url, '/back');
});

t.test('targets are tried in order', async (t) => {
  const dead = await deadPort();
  const scene = await HoldScene.open(t, { routes: [`pair 127.0.0.1:${dead} ORIGIN`] });
  const answer = scene.ask('/', { headers: { Host: 'pair' } });
  (await scene.asked()).answer({
    headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c', 'Grip-Link': '</next>; rel=next' },
  });
  await answer;
  await scene.timers(1);
  scene.act('c', 'hint');
  t.equal((await scene.asked()).url, '/next');
});

t.test('an untrusted origin cannot send the proxy to private addresses, by number or by name', async (t) => {
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const other = await PullOrigin.open(t);
    const scene = await HoldScene.open(t, { debug: true });
    scene.table = scene.routes();
    const untrusted = scene.table.routes.map((route) => ({
      ...route,
      targets: route.targets.map((target) => ({ ...target, untrusted: true })),
    }));
    const answer = scene.ask();
    const asked = await scene.asked();
    // Only from here on: the origin of this test has a private address itself.
    scene.table = new (scene.table.constructor as new (routes: typeof untrusted) => typeof scene.table)(untrusted);
    asked.answer({
      headers: {
        'Grip-Hold': 'stream',
        'Grip-Channel': 'c',
        'Grip-Link': `<http://${host}:${other.port}/secret>; rel=next`,
      },
    });
    const stream = await answer;
    await scene.timers(1);
    scene.act('c', 'hint');
    for (const delay of [1_000, 2_000, 4_000, 8_000, 16_000]) {
      await scene.timers(1);
      scene.clock.advance(delay);
    }
    t.equal(await stream.end(), 'complete');
    t.equal(other.all.length, 0, host);
  }
});

t.test('a link of a route that has gone is followed over the network', async (t) => {
  const other = await PullOrigin.open(t);
  const scene = await HoldScene.open(t);
  const answer = scene.ask('/', { headers: { Host: `127.0.0.1:${other.port}` } });
  (await scene.asked()).answer({
    headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c', 'Grip-Link': '</next>; rel=next' },
  });
  await answer;
  await scene.timers(1);
  scene.table = new (scene.table.constructor as new (routes: []) => typeof scene.table)([]);
  scene.act('c', 'hint');
  t.equal((await other.next()).url, '/next');
});
