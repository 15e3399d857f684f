/** Next links of streams: when they are fetched, how, and what their answers do. */
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const NEXT = '</next>; rel=next';
const room = (prevId: string) => ({ 'Grip-Channel': `room; prev-id=${prevId}` });
const held = (prevId: string, link = NEXT) => ({ 'Grip-Hold': 'stream', 'Grip-Link': link, ...room(prevId) });

/** The item with this number in the log of the room. */
const item = (fixture: HoldFixture, n: number) => fixture.send('room', `${n} `, { id: `${n}`, 'prev-id': `${n - 1}` });

t.test('without a hold: body and link, body and link, until an answer has neither', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask('/first');
  (await fixture.asked()).answer({ headers: { 'Grip-Link': '</a?p=1>; rel=next' }, body: 'one ' });
  const stream = await answer;
  const second = await fixture.asked();
  t.equal(second.url, '/a?p=1');
  second.answer({ headers: { 'Grip-Link': '</b>; rel=next' }, body: 'two ' });
  const third = await fixture.asked();
  t.equal(third.url, '/b');
  third.answer({ body: 'three' });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'one two three');
  t.match(fixture.ends, [{ reason: 'ended' }]);
  t.match(fixture.requests, [{ hold: 'stream', status: 200 }]);
  t.equal(fixture.clock.pending, 0);
});

t.test('the chain ends in a hold: items follow from its prev-id on', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  (await fixture.asked()).answer({ headers: { 'Grip-Link': NEXT, ...room('1') }, body: 'one ' });
  const stream = await answer;
  const next = await fixture.asked();
  t.strictSame(next.lastIds, ['room; last-id=1'], 'channels without a hold say where to go on');
  item(fixture, 2);
  item(fixture, 3);
  next.answer({ headers: held('2'), body: '2 ' });
  await stream.until('3 ');
  t.equal(stream.text, 'one 2 3 ');
});

t.test('a hint fetches at once, with the ids that the client has; the answer’s ids count from then on', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1'), { timers: 1 });
  item(fixture, 2);
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  t.match(next, { method: 'GET', url: '/next' });
  t.strictSame(next.lastIds, ['room; last-id=2']);
  next.answer({ headers: held('5'), body: '3-5 ' });
  await fixture.timers(1);
  item(fixture, 6);
  await stream.until('6 ');
  t.equal(stream.text, '2 3-5 6 ');
  t.equal(fixture.origin.untaken, 0);
});

t.test('a link without ids is fetched on a hint, too', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ 'Grip-Channel': 'room', 'Grip-Link': NEXT }, { timers: 1 });
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  t.strictSame(next.lastIds, []);
  fixture.send('room', 'item');
  next.answer({ headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'room', 'Grip-Link': NEXT }, body: 'news ' });
  await stream.until('news item');
});

t.test('a fetch carries nothing of the client’s but the name of the host', async (t) => {
  const fixture = await HoldFixture.open(t, { sigKey: 'secret' });
  const answer = fixture.ask('/', {
    headers: { Host: 'app.example', Cookie: 'c', Authorization: 'a', 'X-Own': 'x', 'Accept-Encoding': 'gzip' },
  });
  const first = await fixture.asked();
  first.answer({ headers: held('1') });
  await answer;
  await fixture.timers(1);
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  const names = next.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  t.strictSame(names.sort(), ['accept-encoding', 'connection', 'grip-feature', 'grip-last', 'grip-sig', 'host']);
  t.match(next.headers, { host: 'app.example', 'accept-encoding': 'identity' });
  t.ok(next.headers['grip-sig']);
});

t.test('the time of the link is counted from the last item of its channels', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1', `${NEXT}; timeout=30`), { timers: 1 });
  fixture.clock.advance(29_000);
  item(fixture, 2);
  await stream.until('2 ');
  fixture.clock.advance(29_999);
  t.equal(fixture.clock.pending, 1, 'no turn is waited for yet');
  fixture.clock.advance(1);
  t.equal(fixture.origin.all.length, 1);
  fixture.clock.advance(100);
  const next = await fixture.asked();
  t.strictSame(next.lastIds, ['room; last-id=2']);
  next.answer({ headers: held('2', `${NEXT}; timeout=30`) });
  await fixture.timers(1 + 1);
  fixture.clock.advance(30_000 + 100);
  (await fixture.asked()).answer({ body: 'end' });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, '2 end');
});

t.test('a link is due after 120 seconds if it does not say', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream(held('1'), { timers: 1 });
  fixture.clock.advance(119_999);
  t.equal(fixture.clock.pending, 1);
  fixture.clock.advance(1);
  fixture.clock.advance(100);
  t.equal((await fixture.asked()).url, '/next');
});

t.test('a time of 0 is ten fetches a second, not a tight loop', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream(held('1', `${NEXT}; timeout=0`), { timers: 1 });
  fixture.clock.advance(0);
  for (let i = 1; i <= 5; i++) {
    fixture.clock.advance(99);
    t.equal(fixture.origin.all.length, i);
    fixture.clock.advance(1);
    (await fixture.asked()).answer({ headers: held('1', `${NEXT}; timeout=0`) });
    // The link's own timer and that of the turns.
    await fixture.timers(2);
    fixture.clock.advance(0);
  }
});

t.test('an answer replaces channels, filters, meta, keep-alive and link', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(
    {
      'Grip-Channel': 'old, both; filter=var-subst',
      'Grip-Link': NEXT,
      'Grip-Keep-Alive': 'old; timeout=20',
      'Grip-Set-Meta': 'user=ann',
    },
    { timers: 2 },
  );
  fixture.send('both', '%(user)s ');
  fixture.act('old', 'hint');
  (await fixture.asked()).answer({
    headers: {
      'Grip-Hold': 'stream',
      'Grip-Channel': 'both; filter=skip-self, new; filter=var-subst',
      'Grip-Link': '</other>; rel=next',
      'Grip-Keep-Alive': 'new; timeout=10',
      'Grip-Set-Meta': 'user=bob',
    },
    body: 'link ',
  });
  await stream.until('link ');
  await fixture.timers(2);
  t.strictSame(
    [fixture.registry.has('old'), fixture.registry.has('both'), fixture.registry.has('new')],
    [false, true, true],
  );
  fixture.send('old', 'old ');
  fixture.send('both', 'own ', { meta: { sender: 'bob' } });
  fixture.send('both', '%(user)s ', { meta: { sender: 'ann' } });
  fixture.send('new', '%(user)s ');
  await stream.until('ann link %(user)s bob ');
  fixture.clock.advance(10_000);
  await stream.until('bob new');
  fixture.act('new', 'hint');
  t.equal((await fixture.asked()).url, '/other');
});

t.test('an answer without a link: the stream goes on without one', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1'), { timers: 1 });
  fixture.act('room', 'hint');
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'room' }, body: 'link ' });
  await stream.until('link ');
  fixture.act('room', 'hint');
  fixture.send('room', 'item');
  await stream.until('link item');
  t.equal(fixture.clock.pending, 0);
  t.equal(fixture.origin.all.length, 2);
});

t.test('an answer with prev-id but without a link ends the stream', async (t) => {
  const fixture = await HoldFixture.open(t, { debug: true });
  const stream = await fixture.stream(held('1'), { timers: 1 });
  fixture.act('room', 'hint');
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'stream', ...room('2') }, body: 'link' });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, "link\n\nchannel 'room' specifies prev-id, but no next link found\n");
});

t.test('links are relative to the URL that named them', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask('/a/b/first?q=1');
  const urls: string[] = [];
  let asked = await fixture.asked();
  for (const link of ['second?p=1', '../c/third', '?q=2', '/fourth', '//HOST/fifth', 'http://HOST/sixth']) {
    asked.answer({ headers: { 'Grip-Link': `<${link.replace('HOST', fixture.url.slice(7))}>; rel=next` } });
    asked = await fixture.asked();
    urls.push(asked.url);
  }
  t.strictSame(urls, ['/a/b/second?p=1', '/a/c/third', '/a/c/third?q=2', '/fourth', '/fifth', '/sixth']);
  asked.answer({});
  t.equal(await (await answer).end(), 'complete');
});

t.test('a link that leads nowhere ends the stream', async (t) => {
  const fixture = await HoldFixture.open(t, { debug: true });
  const stream = await fixture.stream(held('1', '<ftp://host/x>; rel=next'), { timers: 1 });
  fixture.act('room', 'hint');
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, '\n\nFailed to retrieve next link.\n');
});

t.test('keep-alives run on while a link is fetched, and stop when its body flows', async (t) => {
  const fixture = await HoldFixture.open(t);
  const headers = { ...held('1'), 'Grip-Keep-Alive': '.; timeout=20' };
  const stream = await fixture.stream(headers, { timers: 2 });
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  fixture.clock.advance(20_000);
  await stream.until('.');
  next.begin(headers, 'part ');
  await stream.until('.part ');
  fixture.clock.advance(60_000);
  next.end('end ');
  await stream.until('.part end ');
  await fixture.timers(2);
  fixture.clock.advance(19_999);
  fixture.clock.advance(1);
  await stream.until('end .');
  t.equal(stream.text, '.part end .');
});

t.test('links with nothing to tell do not put keep-alives off', async (t) => {
  const fixture = await HoldFixture.open(t);
  const headers = { ...held('1', `${NEXT}; timeout=10`), 'Grip-Keep-Alive': '.; timeout=25' };
  const stream = await fixture.stream(headers, { timers: 2 });
  for (let i = 0; i < 2; i++) {
    fixture.clock.advance(10_000);
    fixture.clock.advance(100);
    (await fixture.asked()).answer({ headers });
    await fixture.timers(3);
  }
  fixture.clock.advance(25_000 - 20_200);
  await stream.until('.');
});

t.test('a client that reads slowly holds the link back', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1'), { timers: 1 });
  stream.stall();
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  next.begin(held('2'));
  const part = Buffer.alloc(1 << 20, 'x');
  let parts = 1;
  // A part that the socket does not take is the sign that nobody reads at the other end.
  while (parts < 200 && next.write(part)) {
    parts++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(parts < 200, `${parts} MiB were taken`);
  stream.resume();
  await next.drained();
  next.end();
  await until('all of it', () => stream.text.length === parts * part.length);
});

t.test('a client that goes away during a fetch stops it', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1'), { timers: 1 });
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  next.begin(held('2'), 'part');
  await stream.until('part');
  t.match(await fixture.drop(stream), { reason: 'client-gone' });
  await next.abandoned();
  t.equal(fixture.clock.pending, 0);
  t.equal(fixture.registry.size, 0);
  t.equal(fixture.fetches.size, 0);
});

t.test('close during a fetch is carried out after it', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ 'Grip-Channel': 'room', 'Grip-Link': NEXT }, { timers: 1 });
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  fixture.send('room', 'item');
  fixture.act('room', 'close');
  fixture.send('room', 'late');
  next.answer({ headers: { 'Grip-Hold': 'stream', 'Grip-Channel': 'room', 'Grip-Link': NEXT }, body: 'link ' });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'link item');
});

t.test('links of a route that was changed meanwhile go by its present form', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'id=r' });
  await fixture.stream(held('1'), { timers: 1 });
  fixture.reroute('*,id=r,header=X-New:yes ORIGIN');
  fixture.act('room', 'hint');
  t.equal((await fixture.asked()).headers['x-new'], 'yes');
});

t.test('items that wait for a link’s answer are spoken of by its age, and not by that of the stream', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1'), { timers: 1 });
  fixture.clock.advance(60_000);
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  next.begin(held('1'), 'begun ');
  await stream.until('begun ');
  const waiting = () => fixture.warnings.filter((text) => text.includes('wait for the end'));
  item(fixture, 2);
  t.same(waiting(), []);
  fixture.clock.advance(5_000);
  item(fixture, 3);
  t.equal(waiting().length, 1);
});
