/** Long polls: what answers them, with what, and what happens to the request meanwhile. */
import t, { type Test } from 'tap';
import { type Answer, type Asking, ask, open } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { responseItem, startHoldfast } from '../../kit/holdfast.js';
import { responseHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';

const origin = await ScriptedOrigin.start(t);
const settings = { client_half_close_grace: 0, subscription_linger: 0 };
const holdfast = await startHoldfast(t, {
  settings,
  routes: [`* ${origin.target}`, `prefixed,prefix=app- ${origin.target},sub=all,sub=more`],
});
const { clients } = holdfast;

/** Asks for a path, and resolves once the request is held: the only one at that moment. */
async function poll(t: Test, path: string, asking: Asking = {}): Promise<{ answer: Promise<Answer> }> {
  const answer = ask(t, `${clients}${path}`, asking);
  answer.catch(() => {});
  await holdfast.holds('response', 1);
  return { answer };
}

const httpResponse = (channel: string, format: object) => ({ channel, formats: { 'http-response': format } });

t.test('an item answers with its status, reason, body, and headers that replace those of the origin', async (t) => {
  const headers = responseHold('merge', { 'X-Kept': 'origin', 'Cache-Control': 'no-store', 'Content-Type': 'text/a' });
  const { answer } = await poll(t, origin.script({ headers, body: 'timed out' }));
  const published = {
    code: 201,
    reason: 'Made',
    headers: [
      ['content-type', 'text/b'],
      ['X-New', '1'],
      ['X-New', '2'],
      ['Grip-Secret', 'x'],
    ],
    body: 'item',
  };
  await holdfast.publish(httpResponse('merge', published));
  const { status, reason, text, rawHeaders } = await answer;
  t.match({ status, reason, text }, { status: 201, reason: 'Made', text: 'item' });
  const fields = rawHeaders.join(' ').replace(/Date [^,]+, \S+ \S+ \S+ \S+ GMT /, '');
  t.equal(
    fields,
    'X-Kept origin Cache-Control no-store content-type text/b X-New 1 X-New 2 Content-Length 4 Connection close',
  );
});

t.test('the first of several channels answers; the others let go of the request too', async (t) => {
  const headers = { 'Grip-Hold': 'response', 'Grip-Channel': ['first, second', 'third'] };
  for (const channel of ['third', 'first']) {
    const { answer } = await poll(t, origin.script({ headers }));
    await holdfast.publish(responseItem('fourth', 'no'), responseItem(channel, 'yes'));
    t.match(await answer, { status: 200, text: 'yes' });
  }
  const receipts = await holdfast.publish(responseItem('second', 'late'));
  t.match(receipts, [{ subscribers: 0 }]);
});

t.test('the prefix of a route goes before the channels of the instruct, not before those of sub=', async (t) => {
  const asking = { headers: { Host: 'prefixed' } };
  for (const channel of ['app-room', 'all', 'more']) {
    const { answer } = await poll(t, origin.script({ headers: responseHold('room') }), asking);
    await holdfast.publish(responseItem('room', 'no'), responseItem('app-all', 'no'), responseItem(channel, 'yes'));
    t.match(await answer, { text: 'yes' }, channel);
  }
});

t.test('binary bodies, and a patch of the body that the origin gave', async (t) => {
  const headers = responseHold('patch', { 'Content-Type': 'application/json' });
  const path = origin.script({ headers, body: '{"n": 1, "list": ["a"]}\n' });
  const patch = [
    { op: 'replace', path: '/n', value: 2 },
    { op: 'add', path: '/list/-', value: 'b' },
  ];
  const cases = [
    [{ 'body-bin': Buffer.from('b\0n').toString('base64') }, 'b\0n'],
    [{ 'body-patch': patch }, '{"n":2,"list":["a","b"]}\n'],
    [{ 'body-patch': [{ op: 'remove', path: '/none' }] }, ''],
  ] as const;
  for (const [format, text] of cases) {
    const { answer } = await poll(t, path);
    await holdfast.publish(httpResponse('patch', format));
    t.match(await answer, { status: 200, text, headers: { 'content-length': `${text.length}` } });
  }
});

t.test('a patch that comes before the body of the origin waits for it', async (t) => {
  let finish = () => {};
  const headers = responseHold('early');
  const body = (response: { write(text: string): unknown; end(text: string): unknown }) => {
    response.write('{"a":');
    finish = () => response.end('1}');
  };
  const { answer } = await poll(t, origin.script({ headers, body }));
  const [receipt] = await holdfast.publish(
    httpResponse('early', { 'body-patch': [{ op: 'replace', path: '/a', value: 2 }] }),
    responseItem('early', 'second'),
  );
  t.match(receipt, { subscribers: 1 });
  finish();
  t.match(await answer, { status: 200, text: '{"a":2}' });
});

t.test('a hint asks the origin again: same method, headers and body, and Grip-Last', async (t) => {
  const again = { headers: { 'Content-Type': 'text/plain' }, body: 'new state' };
  const headers = { 'Grip-Hold': 'response', 'Grip-Channel': 'hinted; prev-id=41, hinted-too; prev-id=a, bare' };
  const path = origin.script({ headers }, again);
  const asking = { method: 'POST', body: 'question', headers: { 'X-Own': 'a', 'Grip-Last': 'forged; last-id=1' } };
  const { answer } = await poll(t, path, asking);
  await holdfast.publish(httpResponse('hinted', { action: 'hint' }));
  t.match(await answer, { status: 200, text: 'new state' });

  const [first, second] = await origin.requests(path, 2);
  t.match(first, { method: 'POST', body: 'question', headers: { 'x-own': 'a', 'grip-last': undefined } });
  t.match(second, { method: 'POST', body: 'question', headers: { 'x-own': 'a' } });
  const lasts = second?.rawHeaders.filter((_, i, all) => all[i - 1] === 'Grip-Last');
  t.strictSame(lasts, ['hinted; last-id=41', 'hinted-too; last-id=a']);
});

t.test('a request that is asked again may be held again', async (t) => {
  const path = origin.script({ headers: responseHold('twice') }, { headers: responseHold('twice-new') });
  const { answer } = await poll(t, path);
  await holdfast.publish(httpResponse('twice', { action: 'hint' }));
  await origin.requests(path, 2);
  await holdfast.holds('response', 1);
  await holdfast.publish(responseItem('twice', 'no longer'), responseItem('twice-new', 'yes'));
  t.match(await answer, { text: 'yes' });
});

t.test('recover asks the origin again for every long poll', async (t) => {
  const path = origin.script({ headers: responseHold('recovered') }, { body: 'recovered' });
  const { answer } = await poll(t, path);
  const answered = await fetch(`${holdfast.control}/recover/`, { method: 'POST' });
  t.equal(await answered.text(), 'Updated\n');
  t.match(await answer, { text: 'recovered' });
});

t.test('close and refresh, and items without a form for long polls, leave it held', async (t) => {
  const { answer } = await poll(t, origin.script({ headers: responseHold('stays') }));
  await holdfast.publish(httpResponse('stays', { action: 'close' }), httpResponse('stays', { action: 'refresh' }));
  await holdfast.publish({ channel: 'stays', formats: { 'http-stream': { content: 'not for it' } } });
  await holdfast.publish(responseItem('stays', 'this one'));
  t.match(await answer, { text: 'this one' });
});

t.test('Grip-Expose-Headers among the published headers keeps only those that it names', async (t) => {
  const { answer } = await poll(t, origin.script({ headers: responseHold('exposed', { 'X-A': '1', 'X-B': '1' }) }));
  const headers = { 'Grip-Expose-Headers': 'X-B, X-C', 'X-C': '2', 'X-D': '2' };
  await holdfast.publish(httpResponse('exposed', { headers, body: '' }));
  t.match((await answer).headers, { 'x-a': undefined, 'x-b': '1', 'x-c': '2', 'x-d': undefined });
});

t.test('HEAD is held too: it is answered with the length of the item and no body', async (t) => {
  const wire = await connectTo(t, clients);
  const path = origin.script({ headers: responseHold('head') });
  wire.send(`HEAD ${path} HTTP/1.1`, 'Host: a', '');
  await holdfast.holds('response', 1);
  await holdfast.publish(responseItem('head', 'four'));
  await wire.until('\r\n\r\n');
  wire.send(`GET ${origin.script({ body: 'next' })} HTTP/1.1`, 'Host: a', 'Connection: close', '');
  await wire.closed();
  t.match(wire.text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 4\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nnext$/);
});

t.test('the connection goes on: the next poll, and a request that was pipelined behind it', async (t) => {
  const wire = await connectTo(t, clients);
  const path = origin.script({ headers: responseHold('again') });
  const behind = origin.script({ body: 'behind' });
  wire.send(`GET ${path} HTTP/1.1`, 'Host: a', '');
  await holdfast.holds('response', 1);
  await holdfast.publish(responseItem('again', 'one'));
  await wire.until(/\r\n\r\none$/);
  wire.send(`GET ${path} HTTP/1.1`, 'Host: a', '', `GET ${behind} HTTP/1.1`, 'Host: a', 'Connection: close', '');
  await holdfast.holds('response', 1);
  t.equal(origin.seen(behind).length, 0, 'requests of a connection take effect in order');
  await holdfast.publish(responseItem('again', 'two'));
  await wire.closed();
  t.match(wire.text, /\r\n\r\noneHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\ntwoHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nbehind$/);
});

t.test('a client that goes away leaves no hold and no subscription', async (t) => {
  const wire = await connectTo(t, clients);
  wire.send(`GET ${origin.script({ headers: responseHold('gone') })} HTTP/1.1`, 'Host: a', '');
  await holdfast.holds('response', 1);
  wire.socket.destroy();
  await holdfast.holds('response', 0);
  t.match(await holdfast.publish(responseItem('gone', 'nobody')), [{ subscribers: 0 }]);
  t.equal(await holdfast.metric('holdfast_channels'), 0);
});

t.test('after Grip-Timeout the answer of the origin goes out, as its instruct says', async (t) => {
  const timeout = { 'Grip-Timeout': '1', 'X-A': 'a', 'X-B': 'b' };
  const json = {
    hold: { mode: 'response', channels: [{ name: 'none' }], timeout: 1 },
    response: { code: 410, headers: { 'X-Json': 'yes' }, body: 'from JSON' },
  };
  const polls = [
    { headers: responseHold('none', { ...timeout, 'Grip-Status': '404 Not Yet' }), body: 'status' },
    { headers: responseHold('none', { ...timeout, 'Grip-Expose-Headers': 'x-b' }), body: 'exposed' },
    { headers: { 'Grip-Hold': 'response', ...timeout }, body: 'no channel' },
    { headers: { 'Content-Type': 'application/grip-instruct; charset=utf-8' }, body: JSON.stringify(json) },
  ];
  // All of them wait the same five seconds, the least that there is.
  const answers = await Promise.all(polls.map((answer) => open(t, `${clients}${origin.script(answer)}`)));
  await Promise.all(answers.map((answer) => answer.end()));
  t.match(answers, [
    { status: 404, reason: 'Not Yet', text: 'status', headers: { 'x-a': 'a', 'content-length': '6' } },
    { status: 200, text: 'exposed', headers: { 'x-a': undefined, 'x-b': 'b' } },
    { status: 200, text: 'no channel' },
    { status: 410, reason: 'Gone', text: 'from JSON', headers: { 'x-json': 'yes', 'content-type': undefined } },
  ]);
  for (const { headers } of answers) t.notMatch(Object.keys(headers).join(' '), /grip-/);
});
