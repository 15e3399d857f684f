/** Sessions over polls: xhr and jsonp. */

import { parseItem } from '@holdfast/grip';
import t from 'tap';
import { HIGH_WATER } from '../../dist/sockjs/http-session.js';
import { SockJsFixture } from './sockjs-fixture.js';

t.test('messages that come together are one frame, and each poll takes one', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  session.say('a');
  session.say('b');
  t.equal(fixture.poll('s').text, 'a["a","b"]\n', 'those that waited');
  const waiting = fixture.poll('s');
  session.say('c');
  session.say('d');
  t.equal(waiting.status, 0);
  await fixture.turn();
  t.equal(waiting.text, 'a["c","d"]\n');
  t.equal(waiting.header('content-type'), 'application/javascript; charset=UTF-8');
  t.equal(fixture.opened.length, 1);
});

t.test('published messages and binary ones are text; pings are not for this client', async (t) => {
  const fixture = await SockJsFixture.start(t, { target: 'sub=news' });
  const origin = fixture.open('s');
  for (const format of [
    { content: 'item' },
    { 'content-bin': Buffer.from([0x62, 0xff]).toString('base64') },
    { type: 'ping', content: 'p' },
    { type: 'pong', content: 'p' },
  ]) {
    const item = parseItem({ channel: 'news', formats: { 'ws-message': format } });
    void fixture.parts.backplane.publish([{ type: 'item', item, id: 'made' }]);
  }
  origin.say('bin', 'binary');
  origin.say('p', 'pong');
  t.equal(fixture.poll('s').text, 'a["item","b\\ufffd","bin"]\n');
  origin.say('are you there', 'ping');
  await fixture.turn();
  t.strictSame(origin.events, ['pong are you there'], 'the origin’s ping is answered for the client');
});

t.test('pings of an origin that takes no pongs hold it back, and the last of them is answered', async (t) => {
  const fixture = new SockJsFixture();
  const origin = fixture.open('s');
  origin.takes = false;
  fixture.send('s', '["a"]');
  for (let i = 0; i < 1_000; i++) t.equal(origin.say(`${i}`, 'ping'), false);
  await fixture.turn();
  t.strictSame(origin.events, ['text a']);
  origin.go();
  await fixture.turn();
  t.strictSame(origin.events, ['text a', 'pong 999']);
  t.notOk(origin.paused);
});

t.test('empty messages are bounded like any other', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  let count = 1;
  while (session.say('')) count++;
  t.ok(count <= HIGH_WATER / 64, `held back after ${count}`);
});

t.test('what clients send', async (t) => {
  const fixture = new SockJsFixture();
  const { events } = fixture.open('s');
  const answer = fixture.send('s', '["a","b"]');
  t.match(answer, { status: 204, text: '' });
  t.equal(answer.header('content-type'), 'text/plain; charset=UTF-8');
  t.match(fixture.send('s', '[]'), { status: 204, text: '' });
  t.match(fixture.ask('POST', '/echo/999/s/jsonp_send?i=1', 'd=%5B%22c%22%5D'), { status: 200, text: 'ok' });
  const called = fixture.ask('GET', '/echo/000/s/jsonp_send?d=%5B%22d%22%5D&c=cb');
  t.match(called, { status: 200, text: '/**/cb("ok");\r\n' });
  t.equal(called.header('content-type'), 'application/javascript; charset=UTF-8');
  t.strictSame(events, ['text a', 'text b', 'text c', 'text d']);
  for (const body of ['', '["x', '{}', '[1]']) {
    const fault = body === '["x' ? 'Broken JSON encoding.\n' : 'Payload expected.\n';
    t.match(fixture.send('s', body), { status: 500, text: fault }, body);
  }
  t.match(fixture.send('unknown', '["a"]'), { status: 404, text: 'Not Found\n' });
  t.equal(events.length, 4);
});

t.test('a send is answered when the origin has taken all of it; there is no other meanwhile', async (t) => {
  const fixture = new SockJsFixture();
  const origin = fixture.open('s');
  origin.takes = false;
  const answer = fixture.send('s', '["a","b"]');
  t.strictSame(origin.events, ['text a']);
  t.equal(answer.status, 0);
  t.match(fixture.send('s', '["c"]'), { status: 400, text: 'Already sending\n' });
  origin.go();
  t.strictSame(origin.events, ['text a', 'text b']);
  t.equal(answer.status, 204);
  t.match(fixture.send('s', '["c"]'), { status: 204 });
});

t.test('jsonp', async (t) => {
  const fixture = new SockJsFixture();
  const opening = fixture.ask('GET', '/echo/000/s/jsonp?c=a.b');
  t.equal(opening.text, '/**/a.b("o");\r\n');
  t.equal(opening.header('content-type'), 'application/javascript; charset=UTF-8');
  fixture.last.say('x"');
  t.equal(fixture.ask('POST', '/echo/000/s/jsonp?callback=cb').text, '/**/cb("a[\\"x\\\\\\"\\"]");\r\n');
});

t.test('one poll at a time', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  const first = fixture.poll('s');
  t.equal(fixture.poll('s').text, 'c[2010,"Another connection still open"]\n');
  session.say('a');
  await fixture.turn();
  t.equal(first.text, 'a["a"]\n', 'the first still waits');
});

t.test('a poll is answered with a heartbeat after 25 s', async (t) => {
  const fixture = new SockJsFixture();
  fixture.open('s');
  fixture.clock.advance(3_000);
  const waiting = fixture.poll('s');
  fixture.clock.advance(24_999);
  t.equal(waiting.status, 0);
  fixture.clock.advance(1);
  t.equal(waiting.text, 'h\n');
  const next = fixture.poll('s');
  fixture.clock.advance(25_000);
  t.equal(next.text, 'h\n');
});

t.test('a session nobody polls for 5 s is gone', async (t) => {
  const fixture = new SockJsFixture();
  const { events } = fixture.open('s');
  fixture.clock.advance(4_999);
  t.strictSame(events, []);
  fixture.clock.advance(1);
  t.strictSame(events, ['abort']);
  t.match(fixture.send('s', '["a"]'), { status: 404 });
  t.equal(fixture.poll('s').text, 'o\n', 'a poll begins another');
  t.equal(fixture.opened.length, 2);
  fixture.clock.advance(5_000);
  t.equal(fixture.sessions, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('a poll ends the wait for it', async (t) => {
  const fixture = new SockJsFixture();
  const { events } = fixture.open('s');
  fixture.clock.advance(4_999);
  fixture.poll('s');
  fixture.clock.advance(10_000);
  t.strictSame(events, []);
});

t.test('a client that still takes the last answer is waited for, as long as it takes some', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  session.say('a');
  const answer = fixture.poll('s');
  answer.waiting = 1_000;
  fixture.clock.advance(5_000);
  answer.waiting = 500;
  fixture.clock.advance(5_000);
  t.strictSame(session.events, []);
  fixture.clock.advance(5_000);
  t.strictSame(session.events, ['abort']);
});

t.test('a client that breaks off its poll has closed', async (t) => {
  const fixture = new SockJsFixture();
  const { events } = fixture.open('s');
  fixture.poll('s').leave();
  t.strictSame(events, ['close -']);
  t.equal(fixture.poll('s').text, 'c[1002,"Connection interrupted"]\n');
  t.match(fixture.send('s', '["a"]'), { status: 200, text: 'c[1002,"Connection interrupted"]\n' });
  fixture.clock.advance(4_999);
  t.equal(fixture.poll('s').text, 'c[1002,"Connection interrupted"]\n');
  fixture.clock.advance(1);
  t.equal(fixture.poll('s').text, 'o\n');
  t.equal(fixture.ends.filter(({ error }) => error === 'ERR_REQUEST_CLIENT_GONE').length, 1);
});

t.test('a close follows the messages before it, and is told for 5 s', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  session.say('a');
  session.end(3001, 'bye "x"');
  t.equal(session.say('b'), true, 'nothing follows a close');
  t.equal(fixture.poll('s').text, 'a["a"]\n');
  fixture.clock.advance(4_000);
  const close = 'c[3001,"bye \\"x\\""]\n';
  t.equal(fixture.poll('s').text, close);
  fixture.clock.advance(4_999);
  t.equal(fixture.poll('s').text, close, 'again and again');
  t.match(fixture.send('s', '["x"]'), { status: 200, text: close });
  fixture.clock.advance(1);
  t.equal(fixture.sessions, 0);
  t.strictSame(session.events, ['close 3001 bye "x"'], 'the origin has its answer');
});

t.test('a close answers the poll that waits', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  const waiting = fixture.poll('s');
  session.end();
  t.equal(waiting.text, 'c[0,"Connection closed"]\n');
  fixture.clock.advance(5_000);
  t.equal(fixture.clock.pending, 0);
});

t.test('a close that nobody fetches is forgotten after 5 s', async (t) => {
  const fixture = new SockJsFixture();
  fixture.open('s').end(1000);
  fixture.clock.advance(5_000);
  t.equal(fixture.sessions, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('a session that is cut answers 410 for 5 s', async (t) => {
  const fixture = new SockJsFixture();
  const origin = fixture.open('s');
  const waiting = fixture.poll('s');
  origin.cut();
  const terminated = { status: 410, text: 'Session terminated\n' };
  t.match(waiting, terminated);
  fixture.clock.advance(4_999);
  t.match(fixture.poll('s'), terminated);
  t.match(fixture.send('s', '["a"]'), terminated);
  fixture.clock.advance(1);
  t.equal(fixture.poll('s').text, 'o\n');
});

t.test('a send under way when the session ends is answered', async (t) => {
  const fixture = new SockJsFixture();
  const openSlow = (id: string) => Object.assign(fixture.open(id), { takes: false });
  const closed = openSlow('a');
  const first = fixture.send('a', '["x","y"]');
  closed.end(4000, 'no');
  t.match(first, { status: 200, text: 'c[4000,"no"]\n' });

  const cut = openSlow('b');
  const second = fixture.send('b', '["x","y"]');
  cut.cut();
  t.match(second, { status: 410 });

  const left = openSlow('c');
  const third = fixture.send('c', '["x","y"]');
  fixture.clock.advance(5_000);
  t.match(third, { status: 404 });
  t.strictSame(left.events, ['text x', 'abort']);
});

t.test('from 256 KiB on the origin is held back, until a poll takes it', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  t.equal(session.say('x'.repeat(HIGH_WATER - 3)), true);
  t.equal(fixture.waiting, HIGH_WATER - 1);
  t.equal(session.say(''), false);
  t.equal(fixture.poll('s').bodyBytes, HIGH_WATER + 6);
  t.notOk(session.paused);
  t.equal(fixture.waiting, 0);
});

t.test('the server part of a path means nothing, the service means another session', async (t) => {
  const fixture = new SockJsFixture();
  fixture.open('s');
  t.equal(fixture.ask('POST', '/echo/1/s/xhr_send', '["a"]').status, 204);
  t.equal(fixture.ask('POST', '/chat/000/s/xhr_send', '["a"]').status, 404);
  t.equal(fixture.ask('POST', '/chat/000/s/xhr').text, 'o\n');
  t.equal(fixture.sessions, 2);
});
