/** Links: where they are fetched, with what, and how the origin hears of the end. */
import t from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';

const origin = await ScriptedOrigin.start(t);
const other = await ScriptedOrigin.start(t);
const holdfast = await startHoldfast(t, {
  settings: { client_half_close_grace: 0, sig_key: 'secret', sig_iss: 'holdfast' },
  routes: [`*,link_hosts=${other.target} ${origin.target}`, `prefixed,prefix=p- ${origin.target}`],
});
const { clients } = holdfast;
const hint = (channel: string) => ({ channel, formats: { 'http-stream': { action: 'hint' } } });

t.test('a chain of links is one answer', async (t) => {
  const third = origin.script({ body: 'three' });
  const second = origin.script({ headers: { 'Grip-Link': `<${third}>; rel=next` }, body: 'two ' });
  const path = origin.script({ headers: { 'Grip-Link': `<${second}>; rel=next`, 'X-A': 'a' }, body: 'one ' });
  const answer = await open(t, `${clients}${path}`, { headers: { Cookie: 'c' } });
  t.equal(await answer.end(), 'complete');
  t.match(answer, { text: 'one two three', headers: { 'x-a': 'a' } });
  const [asked] = origin.seen(third);
  t.match(asked?.headers, { host: new URL(clients).host, cookie: undefined });
  t.ok(asked?.headers['grip-sig'] && asked.headers['grip-feature']);
});

t.test('a hint has the link fetched; channels are named without the prefix of the route, on both ways', async (t) => {
  const next = origin.script({ headers: streamHold('b; prev-id=7', { 'Grip-Link': '</x>; rel=next' }), body: 'two ' });
  const headers = streamHold('a; prev-id=1', { 'Grip-Link': `<${next}>; rel=next` });
  const path = origin.script({ headers, body: 'one ' });
  const stream = await open(t, `${clients}${path}`, { headers: { Host: 'prefixed' } });
  await stream.until('one ');
  await holdfast.publish({ ...hint('p-a'), id: '2', 'prev-id': '1' });
  await stream.until('two ');
  t.match((await origin.requests(next, 1))[0]?.headers, { 'grip-last': 'a; last-id=1', host: 'prefixed' });
  await holdfast.publish(streamItem('p-a', 'left'), { ...streamItem('p-b', 'three'), id: '8', 'prev-id': '7' });
  await stream.until('three');
  t.equal(stream.text, 'one two three');
});

t.test(
  'an absolute link to a host of link_hosts is asked there, unsigned, and what it names relatively, too',
  async (t) => {
    const last = other.script({ body: 'three' });
    const there = other.script({ headers: { 'Grip-Link': `<${last.slice(1)}>; rel=next` }, body: 'two ' });
    const path = origin.script({
      headers: { 'Grip-Link': `<http://${other.target}${there}>; rel=next` },
      body: 'one ',
    });
    const answer = await open(t, `${clients}${path}`);
    t.equal(await answer.end(), 'complete');
    t.equal(answer.text, 'one two three');
    t.equal(other.seen(last).length, 1);
    t.match(other.seen(there)[0]?.headers, { host: other.target, 'grip-sig': undefined });
  },
);

t.test('a link that answers with a response hold ends the stream', async (t) => {
  const next = origin.script({ headers: responseHold('x') });
  const path = origin.script({ headers: streamHold('bad', { 'Grip-Link': `<${next}>; rel=next` }), body: 'one' });
  const stream = await open(t, `${clients}${path}`);
  await stream.until('one');
  await holdfast.publish(hint('bad'));
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'one');
});

t.test('the origin is told once that a hold is gone: answered, closed, or left', async (t) => {
  const gone = origin.script({});
  const link = { 'Grip-Link': `<${gone}>; rel=gone` };
  const poll = open(t, `${clients}${origin.script({ headers: responseHold('gone', link) })}`);
  await holdfast.holds('response', 1);
  await holdfast.publish({ channel: 'gone', formats: { 'http-response': { body: 'x' } } });
  await poll;
  await origin.requests(gone, 1);
  const path = origin.script({ headers: streamHold('gone', link), body: 'open' });
  const closed = await open(t, `${clients}${path}`);
  await closed.until('open');
  await holdfast.publish({ channel: 'gone', formats: { 'http-stream': { action: 'close' } } });
  await closed.end();
  await origin.requests(gone, 2);
  const left = await open(t, `${clients}${path}`);
  await left.until('open');
  left.drop();
  const reports = await origin.requests(gone, 3);
  t.strictSame(
    reports.map(({ method, body }) => method + body),
    ['POST', 'POST', 'POST'],
  );
});

t.test('an item that follows does not wait for a slow link', async (t) => {
  const answers: (() => void)[] = [];
  const headers = streamHold('slow; prev-id=1', { 'Grip-Link': '</slow>; rel=next; timeout=1' });
  const next = origin.script({ headers, body: (response) => void answers.push(() => response.end()) });
  const link = { 'Grip-Link': `<${next}>; rel=next; timeout=1` };
  const path = origin.script({ headers: streamHold('slow; prev-id=1', link), body: 'one ' });
  const stream = await open(t, `${clients}${path}`);
  await origin.requests(next, 1);
  await holdfast.publish({ ...streamItem('slow', 'two '), id: '2', 'prev-id': '1' });
  await stream.until('one two ');
  t.equal(answers.length, 1, 'which has not ended yet');
  for (const answer of answers) answer();
  await holdfast.publish({ ...streamItem('slow', 'three '), id: '3', 'prev-id': '2' });
  await stream.until('one two three ');
});

t.test(
  'an absolute link of an origin, as it knows itself, goes back to it; what cannot be followed is said',
  async (t) => {
    const rewriting = await startHoldfast(t, {
      routes: [
        `*,path_beg=/app,replace_beg=/script ${origin.target}`,
        `*,path_beg=/rem,path_rem=4 ${origin.target}`,
        `as.example,as_host=self.example ${origin.target}`,
        `host.example ${origin.target},host=other.example:81`,
        `* ${other.target}`,
      ],
    });
    const { port } = new URL(rewriting.clients);
    // As the client asks, and how the origin calls itself in its answer.
    for (const [host, before, self] of [
      [`127.0.0.1:${port}`, '/app', `http://127.0.0.1:${port}`],
      [`127.0.0.1:${port}`, '/rem', `http://127.0.0.1:${port}`],
      ['site.example', '/rem', 'http://site.example:443'],
      ['as.example', '', 'https://self.example'],
      ['host.example', '', 'http://other.example:81'],
      ['host.example', '', `http://other.example:${origin.target.split(':')[1]}`],
      ['host.example', '', `https://${origin.target}`],
    ] as const) {
      const last = origin.script({ body: 'two' });
      const path = origin.script({ headers: { 'Grip-Link': `<${self}${last}>; rel=next` }, body: 'one ' });
      const asked = before === '/app' ? path.replace('/script', '/app') : before + path;
      const answer = await open(t, `${rewriting.clients}${asked}`, { headers: { Host: host } });
      t.equal(await answer.end(), 'complete', `${host} ${self}`);
      t.equal(answer.text, 'one two');
      t.equal(origin.seen(last).length, 1);
    }
    const lost = { 'Grip-Link': '<http://nobody.example/x>; rel=next' };
    const stream = await open(
      t,
      `${rewriting.clients}/rem${origin.script({ headers: streamHold('lost', lost), body: '-' })}`,
    );
    await stream.until('-');
    const said = await rewriting.child.line(/.*link not followed: its host is no target.*/);
    t.match(said, /nobody\.example/);
    await rewriting.publish(hint('lost'));
    t.equal(await stream.end(), 'complete', 'at once, when it is needed');
  },
);
