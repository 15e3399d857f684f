import t from 'tap';
import { TestSocket } from '../../../dist/sessions/in-process/test-socket.js';
import type { OriginHandshakeOwner, OriginSocketOwner } from '../../../dist/sessions/origin-socket.js';
import type { MessageType } from '../../../dist/websocket/message-socket.js';

const turn = () => new Promise(setImmediate);

/** A session that takes so many messages before it pauses. */
async function start(takes = Number.POSITIVE_INFINITY) {
  const received: string[] = [];
  let room = takes;
  let writables = 0;
  const owner: OriginSocketOwner = {
    originMessage: (type: MessageType, data: Buffer) => {
      received.push(`${type} ${data}`);
      if (--room <= 0) socket.pause();
    },
    originClosed: () => {},
    originLost: () => {},
    originWritable: () => void writables++,
  };
  const handshake: OriginHandshakeOwner = {
    originAccepted: () => socket.setOwner(owner),
    originRejected: () => {},
    originFailed: () => {},
  };
  const socket: TestSocket = new TestSocket('/ws', { kind: 'test', subs: [], channels: ['test'] }, handshake);
  await turn();
  received.length = 0;
  room = takes;
  const resume = (more: number) => {
    room = more;
    socket.resume();
  };
  return { socket, received, resume, writables: () => writables };
}

t.test('echoes messages and answers pings, in order', async (t) => {
  const { socket, received } = await start();
  t.equal(socket.send('text', Buffer.from('a')), true);
  t.equal(socket.send('ping', Buffer.from('b')), true);
  t.equal(socket.send('pong', Buffer.from('c')), true);
  t.equal(socket.send('binary', Buffer.from('d')), true);
  await turn();
  t.strictSame(received, ['text m:a', 'pong b', 'binary m:d']);
});

t.test('a client that does not read its echo is held back, and goes on where it was', async (t) => {
  const { socket, received, resume, writables } = await start(2);
  for (const name of ['a', 'b', 'c', 'd']) socket.send('text', Buffer.from(name));
  await turn();
  t.strictSame(received, ['text m:a', 'text m:b']);
  t.equal(socket.send('text', Buffer.from('e')), false);
  await turn();
  t.equal(writables(), 0);
  resume(2);
  await turn();
  t.strictSame(received.slice(2), ['text m:c', 'text m:d']);
  t.equal(writables(), 0);
  resume(9);
  await turn();
  t.strictSame(received.slice(4), ['text m:e']);
  t.equal(writables(), 1);
});

t.test('a burst is held back', async (t) => {
  const { socket, received, writables } = await start();
  let sent = 1;
  while (socket.send('text', Buffer.alloc(0))) sent++;
  t.ok(sent <= 64);
  await turn();
  t.equal(received.length, sent);
  t.equal(writables(), 1);
});

t.test('nothing follows an end', async (t) => {
  const { socket, received } = await start();
  socket.send('text', Buffer.from('a'));
  socket.abort();
  socket.send('text', Buffer.from('b'));
  await turn();
  t.strictSame(received, []);
});
