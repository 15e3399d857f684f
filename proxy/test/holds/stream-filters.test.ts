/** Filters on streams: on items, on the initial body, on what links answer. */
import t from 'tap';
import { HoldFixture } from './hold-fixture.js';

const channel = (filters: readonly string[], name = 'room') => ({
  'Grip-Channel': `${name}${filters.map((filter) => `; filter=${filter}`).join('')}`,
});

t.test('skip-self and skip-users by the meta of the stream, require-sub by its channels', async (t) => {
  const fixture = await HoldFixture.open(t);
  const filters = ['skip-self', 'skip-users', 'require-sub'];
  const headers = { 'Grip-Channel': `${channel(filters)['Grip-Channel']}, vip`, 'Grip-Set-Meta': 'user=ann' };
  const stream = await fixture.stream(headers);
  fixture.send('room', 'a', { meta: { sender: 'ann' } });
  fixture.send('room', 'b', { meta: { sender: 'bob' } });
  fixture.send('room', 'c', { meta: { skip_users: 'bob, ann' } });
  fixture.send('room', 'd', { meta: { skip_users: 'joann' } });
  fixture.send('room', 'e', { meta: { require_sub: 'secret' } });
  fixture.send('room', 'f', { meta: { require_sub: 'vip' } });
  await stream.until('f');
  t.equal(stream.text, 'bdf');
  t.equal(fixture.count('sent stream'), 3);
  t.equal(fixture.count('dropped stream filter-failed'), 0, 'what a filter drops is no failure');
});

t.test('filters are per channel', async (t) => {
  const fixture = await HoldFixture.open(t);
  const headers = { 'Grip-Channel': 'a; filter=var-subst, b', 'Grip-Set-Meta': 'user=ann' };
  const stream = await fixture.stream(headers);
  fixture.send('a', '%(user)s ');
  fixture.send('b', '%(user)s ');
  await stream.until('ann %(user)s ');
  t.equal(stream.text, 'ann %(user)s ');
});

t.test('unknown filters are ignored', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(channel(['none-such']));
  fixture.send('room', '%(user)s');
  await stream.until('%(user)s');
  t.equal(stream.text, '%(user)s');
});

t.test('more than five are refused', async (t) => {
  const fixture = await HoldFixture.open(t, { debug: true });
  const answer = fixture.ask();
  const headers = { 'Grip-Hold': 'stream', ...channel(['a', 'b', 'c', 'd', 'e', 'f']) };
  (await fixture.asked()).answer({ headers });
  const got = await answer;
  await got.end();
  t.equal(got.status, 502);
  t.match(got.text, "too many filters for channel 'room'");
});

t.test('an item that a filter cannot take is skipped; on debug routes the stream ends with the reason', async (t) => {
  const fixture = await HoldFixture.open(t, { lines: ['debug,debug ORIGIN'] });
  const quiet = await fixture.stream(channel(['var-subst']));
  fixture.send('room', 'bad %(none)s');
  fixture.send('room', 'good');
  await quiet.until('good');
  t.equal(quiet.text, 'good');
  t.strictSame(fixture.warnings, ['item not delivered: its filter failed']);
  t.equal(fixture.count('dropped stream filter-failed'), 1);

  const answer = fixture.ask('/', { headers: { Host: 'debug' } });
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'stream', ...channel(['var-subst'], 'other') }, body: 'b' });
  const told = await answer;
  await told.until('b');
  fixture.send('other', 'bad %(none)s');
  t.equal(await told.end(), 'complete');
  t.match(told.text, /^b\n\nfilter error: No such variable 'none' at position \d+\n$/);
  t.equal(fixture.ends[0]?.reason, 'filter-failed');
});

t.test('content-filters of an item must be the stream’s, in order; none named fits all', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({
    ...channel(['skip-self', 'build-id', 'var-subst']),
    'Grip-Set-Meta': 'user=ann, id_format=x',
  });
  const send = (content: string, filters?: readonly string[]) =>
    fixture.publish('room', { 'http-stream': { content, ...(filters && { 'content-filters': filters }) } });
  send('a', ['var-subst', 'build-id']);
  send('b', ['build-id']);
  send('c', []);
  send('d', ['build-id', 'var-subst']);
  send('e');
  await stream.until('e');
  t.equal(stream.text, 'de');
  t.equal(fixture.count('dropped stream filter-failed'), 3);
});

t.test('close goes through the filters of its channel', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ ...channel(['skip-self']), 'Grip-Set-Meta': 'user=ann' });
  fixture.act('room', 'close', { meta: { sender: 'ann' } });
  fixture.send('room', 'still there');
  await stream.until('still there');
  fixture.act('room', 'close', { meta: { sender: 'bob' } });
  t.equal(await stream.end(), 'complete');
});

t.test('http-check and http-modify: items keep their order while a server is asked', async (t) => {
  const fixture = await HoldFixture.open(t);
  const headers = { 'Grip-Channel': 'slow; filter=http-modify, quick', 'Grip-Set-Meta': 'url=/modify' };
  const stream = await fixture.stream(headers);
  fixture.send('slow', 'one');
  fixture.send('quick', 'two ');
  fixture.send('slow', 'three');
  const one = await fixture.asked();
  const three = await fixture.asked();
  three.answer({ status: 204 });
  await fixture.timers(2);
  one.answer({ body: 'ONE ' });
  await stream.until('three');
  t.equal(stream.text, 'ONE two three');
  t.strictSame([one.body.toString(), three.body.toString()], ['one', 'three']);
});

t.test('a close waits for the items before it', async (t) => {
  const fixture = await HoldFixture.open(t);
  const headers = { 'Grip-Channel': 'slow; filter=http-check, quick', 'Grip-Set-Meta': 'url=/check' };
  const stream = await fixture.stream(headers);
  fixture.send('slow', 'one');
  fixture.act('quick', 'close');
  const asked = await fixture.asked();
  t.equal(fixture.ends.length, 0);
  asked.answer({});
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'one');
});

t.test('the answer of a server for a client that has gone is for nobody', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ ...channel(['http-check']), 'Grip-Set-Meta': 'url=/check' });
  fixture.send('room', 'one');
  const asked = await fixture.asked();
  await fixture.drop(stream);
  asked.answer({});
  await fixture.timers(1);
  t.equal(fixture.count('sent stream'), 0);
});

t.test('build-id gives each item its own id, also behind a server that was asked before', async (t) => {
  const fixture = await HoldFixture.open(t);
  const filters = 'filter=http-modify; filter=build-id';
  const stream = await fixture.stream(
    {
      'Grip-Channel': `room; prev-id=1; ${filters}`,
      'Grip-Set-Meta': 'url=/modify, id_format="%(room)s"',
      'Grip-Link': '</next>; rel=next',
    },
    { timers: 1 },
  );
  fixture.send('room', 'a %I ', { id: '2', 'prev-id': '1' });
  fixture.send('room', 'b %I ', { id: '3', 'prev-id': '2' });
  const [first, second] = [await fixture.asked(), await fixture.asked()];
  second.answer({ status: 204 });
  first.answer({ status: 204 });
  await stream.until('b 3 ');
  t.equal(stream.text, 'a 2 b 3 ');
});

t.test('build-id acts on the initial body, whatever pieces it comes in', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  const headers = { ...channel(['build-id']), 'Grip-Set-Meta': 'id_format=x, id_encoding=hex' };
  asked.begin({ 'Grip-Hold': 'stream', ...headers }, 'id: %(a');
  const stream = await answer;
  await stream.until('id: ');
  t.equal(stream.text, 'id: ', 'a directive waits for its end');
  asked.write('b)');
  asked.end('I, 100%%');
  await stream.until('id: 6162, 100%');
});

for (const [what, body] of [
  ['an id that nobody gave', 'before %I after'],
  ['a directive without an end', 'before %('],
] as const) {
  t.test(`the initial body with ${what} ends the stream, and says why on debug routes`, async (t) => {
    const fixture = await HoldFixture.open(t, { lines: ['debug,debug ORIGIN'] });
    const headers = { 'Grip-Hold': 'stream', ...channel(['build-id']), 'Grip-Set-Meta': 'id_format=x' };
    for (const host of ['any', 'debug']) {
      const answer = fixture.ask('/', { headers: { Host: host } });
      (await fixture.asked()).answer({ headers, body });
      const stream = await answer;
      t.equal(await stream.end(), 'complete');
      if (host === 'any') t.notMatch(stream.text, 'error');
      else t.match(stream.text, /\n\nfilter error: build-id: .+\n$/);
    }
    t.match(fixture.ends, [{ reason: 'filter-failed' }, { reason: 'filter-failed' }]);
    t.equal(fixture.registry.size, 0);
  });
}

t.test('what a link answers is filtered by the filters and meta that it names itself', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  (await fixture.asked()).answer({ headers: { 'Grip-Link': '</next>; rel=next' }, body: '%I stays, ' });
  const stream = await answer;
  const headers = {
    'Grip-Hold': 'stream',
    ...channel(['build-id']),
    'Grip-Set-Meta': 'id_format=x',
  };
  (await fixture.asked()).answer({ headers, body: 'id %(1)I, ' });
  await stream.until('%I stays, id 1, ');
  fixture.send('room', 'item %I');
  await stream.until('item x');
});

t.test('an error in what a link answers ends the stream', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'debug' });
  const stream = await fixture.stream({ ...channel([]), 'Grip-Link': '</next>; rel=next' }, { timers: 1 });
  fixture.act('room', 'hint');
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'stream', ...channel(['build-id']) }, body: 'x' });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, "\n\nfilter error: build-id: no sub meta 'id_format'\n");
});

t.test('a gap found while a server is asked is filled behind the items that were let pass', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(
    {
      'Grip-Channel': 'room; prev-id=1; filter=http-check',
      'Grip-Set-Meta': 'url=/check',
      'Grip-Link': '</next>; rel=next',
    },
    { timers: 1 },
  );
  fixture.send('room', 'two ', { id: '2', 'prev-id': '1' });
  fixture.act('room', 'hint', { id: '3', 'prev-id': '2' });
  const check = await fixture.asked();
  t.equal(check.url, '/check');
  check.answer({ status: 204 });
  const next = await fixture.asked();
  t.strictSame([next.url, ...next.lastIds], ['/next', 'room; last-id=2']);
  next.answer({
    headers: {
      'Grip-Hold': 'stream',
      'Grip-Channel': 'room; prev-id=3',
      'Grip-Link': '</next>; rel=next',
    },
    body: 'three ',
  });
  await stream.until('three ');
  t.equal(stream.text, 'two three ');
});
