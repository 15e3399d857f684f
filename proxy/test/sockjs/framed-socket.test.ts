import t from 'tap';
import { FramedSocket } from '../../dist/sockjs/framed-socket.js';
import { MAX_FRAME, MAX_MESSAGE, MAX_MESSAGES } from '../../dist/sockjs/frames.js';
import { FramePiece } from '../../dist/websocket/message-socket.js';
import { ManualClock } from '../kit/manual-clock.js';
import { RecordingOwner, RecordingSocket } from './recorder.js';

function start() {
  const clock = new ManualClock();
  const socket = new RecordingSocket();
  const framed = new FramedSocket(socket, clock, () => 0);
  const owner = new RecordingOwner();
  framed.setHandler(owner);
  const hear = (text: string) => framed.onMessage('text', Buffer.from(text));
  return { clock, socket, framed, owner, hear };
}

t.test('frames what is sent, after an open frame', async (t) => {
  const { socket, framed } = start();
  t.equal(framed.send('text', Buffer.from('a"b')), true);
  framed.send('binary', Buffer.from([0x61, 0xff]));
  framed.push(new FramePiece('text', Buffer.from('item')));
  framed.push(new FramePiece('ping', Buffer.from('p')));
  framed.send('ping', Buffer.from('q'));
  t.strictSame(socket.calls, [
    'text o',
    'text a["a\\"b"]',
    'text a["a\\ufffd"]',
    'push text a["item"]',
    'push ping p',
    'ping q',
  ]);
  socket.takes = false;
  socket.waiting = 7;
  t.equal(framed.send('text', Buffer.from('c')), false);
  t.equal(framed.waiting, 7);
});

t.test('hands on what is in frames', async (t) => {
  const { framed, owner, hear } = start();
  hear('["a","b"]');
  hear('"c"');
  hear('');
  hear('[]');
  framed.onMessage('binary', Buffer.from('["d"]'));
  framed.onMessage('ping', Buffer.from('p'));
  framed.onWritable();
  t.strictSame(owner.events, ['text a', 'text b', 'text c', 'text d', 'ping p', 'writable']);
});

t.test('an owner that takes no more gets no more of a frame, until it does', async (t) => {
  const { socket, framed, owner, hear } = start();
  owner.react = (text) => {
    if (text === 'b') framed.pause();
  };
  hear('["a","b","c","d"]');
  hear('["e"]');
  t.strictSame(owner.events, ['text a', 'text b']);
  t.equal(socket.calls.at(-1), 'pause');
  framed.resume();
  t.strictSame(owner.events, ['text a', 'text b', 'text c', 'text d', 'text e']);
  t.equal(socket.calls.at(-1), 'resume');
});

t.test('what has come before a close is handed on before it', async (t) => {
  const { framed, owner, hear } = start();
  owner.react = () => framed.pause();
  hear('["a","b"]');
  framed.onClose(1000, Buffer.from('bye'));
  t.strictSame(owner.events, ['text a', 'text b', 'close 1000 bye']);
});

for (const text of ['["a', '{}', '[1]', 'x', '"a', '["a"]"b"', JSON.stringify(['x'.repeat(200_001)])]) {
  t.test(`ends at once with ${text.slice(0, 9)}`, async (t) => {
    const { clock, socket, owner, hear } = start();
    hear(text);
    t.match(owner.events, [/^lost /]);
    t.equal(socket.calls.at(-1), 'abort');
    hear('["late"]');
    t.equal(owner.events.length, 1);
    t.equal(clock.pending, 0);
  });
}

t.test('nothing of a frame is handed on after the owner has cut the session', async (t) => {
  const { framed, owner, hear } = start();
  owner.react = () => framed.abort();
  hear('["a","b"]');
  t.strictSame(owner.events, ['text a']);
});

t.test('closes with a frame and with the same code', async (t) => {
  const { clock, socket, framed } = start();
  framed.close(3001, Buffer.from('bye'));
  t.strictSame(socket.calls.slice(1), ['text c[3001,"bye"]', 'close 3001 bye']);
  t.equal(clock.pending, 0);
  const without = start();
  without.framed.close();
  t.strictSame(without.socket.calls.slice(1), ['close -'], 'a close without a code has no frame');
});

t.test('the client’s end passes on, and no heart beats after it', async (t) => {
  const closed = start();
  closed.framed.onClose(4000, Buffer.from('x'));
  const lost = start();
  lost.framed.onLost(undefined);
  t.strictSame([...closed.owner.events, ...lost.owner.events], ['close 4000 x', 'lost']);
  t.equal(closed.clock.pending + lost.clock.pending, 0);
});

t.test('a heartbeat 25 s after the last frame', async (t) => {
  const { clock, socket, framed } = start();
  const beats = () => socket.calls.filter((call) => call === 'text h').length;
  clock.advance(24_999);
  t.equal(beats(), 0);
  clock.advance(1);
  t.equal(beats(), 1);
  clock.advance(25_000);
  t.equal(beats(), 2);
  clock.advance(20_000);
  framed.send('text', Buffer.from('a'));
  clock.advance(24_999);
  t.equal(beats(), 2, 'put off by a message');
  clock.advance(1);
  t.equal(beats(), 3);
  socket.waiting = 1;
  clock.advance(60_000);
  t.equal(beats(), 3, 'none for a client that does not read');
});

t.test('holding back is the WebSocket’s own', async (t) => {
  const { socket, framed } = start();
  framed.pause();
  framed.resume();
  t.strictSame(socket.calls.slice(1), ['pause', 'resume']);
});

t.test('a frame has a limit, below which the longest message has room in whatever way it is escaped', async (t) => {
  const escaped = `["${'\\u0001'.repeat(MAX_MESSAGE)}"]`;
  const long = start();
  long.hear(escaped);
  t.equal(long.owner.events[0]?.length, 'text '.length + MAX_MESSAGE);
  const { socket, owner, hear } = start();
  hear(`[${' '.repeat(MAX_FRAME)}]`);
  t.strictSame(owner.events, ['lost Frame too large']);
  t.equal(socket.calls.at(-1), 'abort');
});

t.test('a frame with too many messages ends the session, and none of them is handed on', async (t) => {
  const { owner, hear } = start();
  hear(`[${'"",'.repeat(MAX_MESSAGES)}""]`);
  t.strictSame(owner.events, ['lost Too many messages']);
});
