/** Where links go: by the route of the client, to its origin, or to a host of its list; never to one that a client names. */
import { silentLog } from '@holdfast/control-api';
import t, { type Test } from 'tap';
import { LinkClient } from '../../dist/links/link-client.js';
import type { LinkScope } from '../../dist/links/link-scope.js';
import { HoldFixture, type HoldFixtureOptions } from '../holds/hold-fixture.js';
import { PullOrigin } from '../holds/pull-origin.js';
import { ManualClock } from '../kit/manual-clock.js';
import { deadPort } from '../kit/ports.js';

/** A stream that was asked for at this path, with this next link; then the link is fetched. */
async function fetchLink(
  t: Test,
  options: HoldFixtureOptions,
  link: (fixture: HoldFixture) => string,
  asking: { path?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<HoldFixture> {
  const fixture = await HoldFixture.open(t, options);
  const { path = '/', headers = {} } = asking;
  const answer = fixture.ask(path, { headers });
  const asked = await fixture.asked();
  asked.answer({
    headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c', 'Grip-Link': `<${link(fixture)}>; rel=next; timeout=0` },
  });
  await answer;
  await fixture.timers(1);
  fixture.clock.advance(0);
  fixture.clock.advance(100);
  return fixture;
}

t.test('a link to the client’s scheme, host and port goes by its route: rewritten, with its fields', async (t) => {
  const options = { route: 'path_beg=/app,replace_beg=/v1,as_host=origin.example,header=X-Route:yes' };
  const fixture = await fetchLink(t, options, () => '/app/items?after=1', {
    path: '/app/stream',
    headers: { Host: 'Public.example:8080', Cookie: 'c' },
  });
  const next = await fixture.asked();
  t.match(next, { method: 'GET', url: '/v1/items?after=1' });
  t.match(next.headers, { host: 'origin.example', 'x-route': 'yes', cookie: undefined, 'x-forwarded-for': undefined });
});

t.test('an absolute link to the same place goes by the route, too, whatever the case of its host', async (t) => {
  const fixture = await fetchLink(t, {}, () => 'http://PUBLIC.example/items', { headers: { Host: 'public.EXAMPLE' } });
  t.equal((await fixture.asked()).url, '/items');
});

t.test('a link to a host of link_hosts goes there: unsigned, with nothing that the route adds', async (t) => {
  const other = await PullOrigin.open(t);
  const list = `link_hosts=127.0.0.1:${other.port}`;
  const options = { sigKey: 'secret', route: `path_rem=3,header=X-Route:yes,as_host=origin.example,${list}` };
  const fixture = await fetchLink(t, options, () => `http://127.0.0.1:${other.port}/a/b?c`, {
    path: '/v1/x',
    headers: { Cookie: 'c', Authorization: 'a' },
  });
  const next = await other.next();
  t.match(next, { method: 'GET', url: '/a/b?c' });
  t.match(next.headers, { host: `127.0.0.1:${other.port}`, 'x-route': undefined, cookie: undefined });
  t.match(next.headers, { 'grip-sig': undefined, authorization: undefined });
  t.equal(fixture.origin.all.length, 1);
});

t.test('a link to any other host is not asked, and said once in a second', async (t) => {
  const other = await PullOrigin.open(t);
  const fixture = await fetchLink(t, { sigKey: 'secret', debug: true }, () => `http://127.0.0.1:${other.port}/x`, {
    headers: { Host: '127.0.0.1' },
  });
  await fixture.holdsEnded();
  t.equal(fixture.ends[0]?.reason, 'link-failed', 'without a repeat');
  t.equal(other.all.length, 0);
  t.equal(fixture.origin.all.length, 1);
  t.match(fixture.warnings, [/^link not followed: its host is no target/, /^stream broken off: /]);
  t.equal(fixture.warnings.length, 2);
});

t.test('the host that the client names is never asked: the origin is, with the path as it names it', async (t) => {
  const other = await PullOrigin.open(t);
  const options = { sigKey: 'secret', route: 'path_beg=/app,replace_beg=/v1' };
  const fixture = await fetchLink(t, options, () => '/elsewhere?x', {
    path: '/app/x',
    headers: { Host: `127.0.0.1:${other.port}` },
  });
  const next = await fixture.asked();
  t.match(next, { url: '/elsewhere?x', headers: { host: `127.0.0.1:${other.port}` } });
  t.ok(next.headers['grip-sig']);
  t.equal(other.all.length, 0);
});

t.test('an origin that echoes the path of a client sends nobody to a host in it', async (t) => {
  const other = await PullOrigin.open(t);
  const path = `//127.0.0.1:${other.port}/x`;
  const fixture = await fetchLink(t, { sigKey: 'secret' }, () => path, { path });
  await fixture.holdsEnded();
  t.equal(other.all.length, 0);
  t.equal(fixture.origin.all.length, 1);
});

t.test('what a host of link_hosts names relatively is at that host, not at the client’s', async (t) => {
  const other = await PullOrigin.open(t);
  const options = { route: 'link_hosts=127.0.0.1' };
  const fixture = await fetchLink(t, options, () => `http://127.0.0.1:${other.port}/a/first`);
  (await other.next()).answer({ headers: { 'Grip-Link': '<second>; rel=next' } });
  const second = await other.next();
  t.equal(second.url, '/a/second');
  t.equal(fixture.origin.all.length, 1);
});

t.test('a host of link_hosts may lead back to the client’s', async (t) => {
  const other = await PullOrigin.open(t);
  const options = { route: 'link_hosts=127.0.0.1' };
  const fixture = await fetchLink(t, options, () => `http://127.0.0.1:${other.port}/x`);
  (await other.next()).answer({ headers: { 'Grip-Link': `<${fixture.url}/back>; rel=next` } });
  t.equal((await fixture.asked()).url, '/back');
});

t.test('targets are tried in order', async (t) => {
  const dead = await deadPort();
  const fixture = await HoldFixture.open(t, { lines: [`pair 127.0.0.1:${dead} ORIGIN`] });
  const answer = fixture.ask('/', { headers: { Host: 'pair' } });
  (await fixture.asked()).answer({
    headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c', 'Grip-Link': '</next>; rel=next' },
  });
  await answer;
  await fixture.timers(1);
  fixture.act('c', 'hint');
  t.equal((await fixture.asked()).url, '/next');
});

t.test('an untrusted origin cannot send the proxy to private addresses, by number or by name', async (t) => {
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const other = await PullOrigin.open(t);
    const fixture = await HoldFixture.open(t, { debug: true, route: `link_hosts=${host}` });
    const answer = fixture.ask();
    const asked = await fixture.asked();
    // Only from here on: the origin of this test has a private address itself.
    fixture.reroute(`*,link_hosts=${host} ORIGIN,untrusted`);
    asked.answer({
      headers: {
        'Grip-Hold': 'stream',
        'Grip-Channel': 'c',
        'Grip-Link': `<http://${host}:${other.port}/secret>; rel=next`,
      },
    });
    const stream = await answer;
    await fixture.timers(1);
    fixture.act('c', 'hint');
    for (const delay of [1_000, 2_000, 4_000, 8_000, 16_000]) {
      await fixture.timers(1);
      fixture.clock.advance(delay);
    }
    t.equal(await stream.end(), 'complete');
    t.equal(other.all.length, 0, host);
  }
});

t.test('a link of a route that has gone is not followed', async (t) => {
  const other = await PullOrigin.open(t);
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask('/', { headers: { Host: `127.0.0.1:${other.port}` } });
  (await fixture.asked()).answer({
    headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'c', 'Grip-Link': '</next>; rel=next' },
  });
  await answer;
  await fixture.timers(1);
  fixture.reroute('elsewhere ORIGIN');
  fixture.act('c', 'hint');
  await fixture.holdsEnded();
  t.equal(other.all.length, 0);
  t.equal(fixture.origin.all.length, 1);
});

t.test('the log says each cause once in a second, for each route', async (t) => {
  const said: string[] = [];
  const clock = new ManualClock();
  const log = { ...silentLog, warn: (_: object, text: string) => said.push(text) } as typeof silentLog;
  const client = new LinkClient({ clock, log } as unknown as ConstructorParameters<typeof LinkClient>[0]);
  const tell = (text: string, id = 'a') => client.warn(text, 'http://x/', { route: { id } } as LinkScope);
  for (const id of ['a', 'b', 'a']) tell('one', id);
  tell('two');
  t.strictSame(said, ['one', 'one', 'two']);
  clock.advance(1_000);
  t.strictSame(said, ['one', 'one', 'two', 'one'], 'and how often it came meanwhile');
});
