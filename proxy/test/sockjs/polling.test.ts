/** Sessions over polls: xhr and jsonp. */
import t from 'tap';
import { growth, LINEAR_MAX } from '../../../grip/dist-test/growth.js';
import { HIGH_WATER, HttpSession } from '../../dist/sockjs/http-session.js';
import { Receiver, type TransportForm, transportForm } from '../../dist/sockjs/receiver.js';
import type { SockJsResponse } from '../../dist/sockjs/sockjs-response.js';
import { FramePiece } from '../../dist/websocket/message-socket.js';
import { ManualClock } from '../kit/manual-clock.js';
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
  const fixture = new SockJsFixture();
  const { socket, owner } = fixture.open('s');
  socket?.push(new FramePiece('text', Buffer.from('item')));
  socket?.push(new FramePiece('binary', Buffer.from([0x62, 0xff])));
  socket?.push(new FramePiece('ping', Buffer.from('p')));
  socket?.push(new FramePiece('pong', Buffer.from('p')));
  socket?.send('binary', Buffer.from('bin'));
  socket?.send('pong', Buffer.from('p'));
  t.equal(fixture.poll('s').text, 'a["item","b\\ufffd","bin"]\n');
  socket?.send('ping', Buffer.from('are you there'));
  await fixture.turn();
  t.strictSame(owner.events, ['pong are you there'], 'the origin’s ping is answered for the client');
});

t.test('pings of an origin that takes no pongs hold it back, and the last of them is answered', async (t) => {
  const fixture = new SockJsFixture();
  const { socket, owner } = fixture.open('s');
  socket?.pause();
  for (let i = 0; i < 1_000; i++) t.equal(socket?.send('ping', Buffer.from(`${i}`)), false);
  await fixture.turn();
  t.strictSame(owner.events, []);
  socket?.resume();
  await fixture.turn();
  t.strictSame(owner.events, ['pong 999', 'writable']);
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
  const { owner } = fixture.open('s');
  const answer = fixture.send('s', '["a","b"]');
  t.match(answer, { status: 204, text: '' });
  t.equal(answer.header('content-type'), 'text/plain; charset=UTF-8');
  t.match(fixture.send('s', '[]'), { status: 204, text: '' });
  t.match(fixture.ask('POST', '/echo/999/s/jsonp_send?i=1', 'd=%5B%22c%22%5D'), { status: 200, text: 'ok' });
  const called = fixture.ask('GET', '/echo/000/s/jsonp_send?d=%5B%22d%22%5D&c=cb');
  t.match(called, { status: 200, text: '/**/cb("ok");\r\n' });
  t.equal(called.header('content-type'), 'application/javascript; charset=UTF-8');
  t.strictSame(owner.events, ['text a', 'text b', 'text c', 'text d']);
  for (const body of ['', '["x', '{}', '[1]']) {
    const fault = body === '["x' ? 'Broken JSON encoding.\n' : 'Payload expected.\n';
    t.match(fixture.send('s', body), { status: 500, text: fault }, body);
  }
  t.match(fixture.send('unknown', '["a"]'), { status: 404, text: 'Not Found\n' });
  t.equal(owner.events.length, 4);
});

t.test('a send is answered when the origin has taken all of it; there is no other meanwhile', async (t) => {
  const fixture = new SockJsFixture();
  const { socket, owner } = fixture.open('s');
  owner.react = (text) => text === 'a' && socket?.pause();
  const answer = fixture.send('s', '["a","b"]');
  t.strictSame(owner.events, ['text a']);
  t.equal(answer.status, 0);
  t.match(fixture.send('s', '["c"]'), { status: 400, text: 'Already sending\n' });
  socket?.resume();
  t.strictSame(owner.events, ['text a', 'text b']);
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
  const { owner } = fixture.open('s');
  fixture.clock.advance(4_999);
  t.strictSame(owner.events, []);
  fixture.clock.advance(1);
  t.strictSame(owner.events, ['lost']);
  t.match(fixture.send('s', '["a"]'), { status: 404 });
  t.equal(fixture.poll('s').text, 'o\n', 'a poll begins another');
  t.equal(fixture.opened.length, 2);
  fixture.clock.advance(5_000);
  t.equal(fixture.sockjs.sessions, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('a poll ends the wait for it', async (t) => {
  const fixture = new SockJsFixture();
  const { owner } = fixture.open('s');
  fixture.clock.advance(4_999);
  fixture.poll('s');
  fixture.clock.advance(10_000);
  t.strictSame(owner.events, []);
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
  t.strictSame(session.owner.events, []);
  fixture.clock.advance(5_000);
  t.strictSame(session.owner.events, ['lost']);
});

t.test('a client that breaks off its poll has closed', async (t) => {
  const fixture = new SockJsFixture();
  const { owner } = fixture.open('s');
  fixture.poll('s').leave();
  t.strictSame(owner.events, ['close -']);
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
  session.close(3001, 'bye "x"');
  t.equal(session.say('b'), true, 'nothing follows a close');
  t.equal(fixture.poll('s').text, 'a["a"]\n');
  fixture.clock.advance(4_000);
  const close = 'c[3001,"bye \\"x\\""]\n';
  t.equal(fixture.poll('s').text, close);
  fixture.clock.advance(4_999);
  t.equal(fixture.poll('s').text, close, 'again and again');
  t.match(fixture.send('s', '["x"]'), { status: 200, text: close });
  fixture.clock.advance(1);
  t.equal(fixture.sockjs.sessions, 0);
  t.strictSame(session.owner.events, []);
});

t.test('a close answers the poll that waits', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  const waiting = fixture.poll('s');
  session.close();
  t.equal(waiting.text, 'c[0,"Connection closed"]\n');
  fixture.clock.advance(5_000);
  t.equal(fixture.clock.pending, 0);
});

t.test('a close that nobody fetches is forgotten after 5 s', async (t) => {
  const fixture = new SockJsFixture();
  fixture.open('s').close(1000);
  fixture.clock.advance(5_000);
  t.equal(fixture.sockjs.sessions, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('a session that is cut answers 410 for 5 s', async (t) => {
  const fixture = new SockJsFixture();
  const { socket } = fixture.open('s');
  const waiting = fixture.poll('s');
  socket?.abort();
  const terminated = { status: 410, text: 'Session terminated\n' };
  t.match(waiting, terminated);
  fixture.clock.advance(4_999);
  t.match(fixture.poll('s'), terminated);
  t.match(fixture.send('s', '["a"]'), terminated);
  fixture.clock.advance(1);
  t.equal(fixture.poll('s').text, 'o\n');
});

t.test('cutting a session that is closing leaves the close frame to those who have begun to read it', async (t) => {
  const fixture = new SockJsFixture();
  const told = fixture.open('told');
  told.close(1012, 'down');
  fixture.poll('told');
  told.socket?.abort();
  t.equal(fixture.poll('told').text, 'c[1012,"down"]\n');
  const untold = fixture.open('untold');
  untold.close(1012, 'down');
  untold.socket?.abort();
  t.equal(fixture.sockjs.sessions, 1);
});

t.test('a send under way when the session ends is answered', async (t) => {
  const fixture = new SockJsFixture();
  const closed = fixture.open('a');
  closed.owner.react = () => closed.socket?.pause();
  const first = fixture.send('a', '["x","y"]');
  closed.close(4000, 'no');
  t.match(first, { status: 200, text: 'c[4000,"no"]\n' });

  const cut = fixture.open('b');
  cut.owner.react = () => cut.socket?.pause();
  const second = fixture.send('b', '["x","y"]');
  cut.socket?.abort();
  t.match(second, { status: 410 });

  const left = fixture.open('c');
  left.owner.react = () => left.socket?.pause();
  const third = fixture.send('c', '["x","y"]');
  fixture.clock.advance(5_000);
  t.match(third, { status: 404 });
  t.strictSame(left.owner.events, ['text x', 'lost']);
});

t.test('an owner that closes on a message gets no more of them', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  session.owner.react = () => session.close(4001, 'enough');
  t.match(fixture.send('s', '["a","b"]'), { status: 200, text: 'c[4001,"enough"]\n' });
  t.strictSame(session.owner.events, ['text a']);
});

t.test('from 256 KiB on the origin is held back, until a poll takes it', async (t) => {
  const fixture = new SockJsFixture();
  const session = fixture.open('s');
  t.equal(session.say('x'.repeat(HIGH_WATER - 3)), true);
  t.equal(session.socket?.waiting, HIGH_WATER - 1);
  t.equal(session.say(''), false);
  t.equal(fixture.poll('s').bodyBytes, HIGH_WATER + 6);
  t.strictSame(session.owner.events, ['writable']);
  t.equal(session.socket?.waiting, 0);
});

t.test('the server part of a path means nothing, the service means another session', async (t) => {
  const fixture = new SockJsFixture();
  fixture.open('s');
  t.equal(fixture.ask('POST', '/echo/1/s/xhr_send', '["a"]').status, 204);
  t.equal(fixture.ask('POST', '/chat/000/s/xhr_send', '["a"]').status, 404);
  t.equal(fixture.ask('POST', '/chat/000/s/xhr').text, 'o\n');
  t.equal(fixture.sockjs.sessions, 2);
});

t.test('the work for the messages of one request grows no faster than their number', async (t) => {
  const ratio = await growth(12_500, (size) => {
    const session = new HttpSession({ clock: new ManualClock(), random: () => 0, forget: () => {} });
    const over = { setHandler() {}, writeHead() {}, write: () => true, answer() {}, end() {}, abort() {}, waiting: 0 };
    session.open(new Receiver(over as unknown as SockJsResponse, transportForm('xhr', undefined) as TransportForm));
    let heard = 0;
    const owner = { onMessage: () => void heard++, onClose() {}, onLost() {}, onWritable() {} };
    session.setHandler(owner);
    const messages = Array.from({ length: size }, () => Buffer.alloc(0));
    return () => {
      session.take(messages, () => t.equal(heard, size));
      session.abort();
    };
  });
  t.ok(ratio < LINEAR_MAX, `${ratio}`);
});
