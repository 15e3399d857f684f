import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { DirectWrites } from '../../dist/runtime/node-internals/socket-writes.js';
import { FramePiece } from '../../dist/websocket/message-socket.js';
import { opcodes } from '../kit/clients/raw-frames.js';
import { settled } from '../kit/until.js';
import { type OpenOptions, openSocket as open, type Role, roles } from './open-socket.js';

const { text, binary, ping } = opcodes;
const CHUNK = Buffer.alloc(65_536, 'c');

/** Counts the writes that reach a socket. */
function countWrites(wire: Duplex): { count: number } {
  const writes = { count: 0 };
  const { _write, _writev } = wire;
  wire._write = (...args) => {
    writes.count++;
    _write.apply(wire, args);
  };
  wire._writev = (...args) => {
    writes.count++;
    _writev?.apply(wire, args);
  };
  return writes;
}

/** Kinds of sockets: both roles, and a server on a node that does not have what direct writes take. */
type Kind = Role | 'server without direct writes';
const kinds: readonly Kind[] = [...roles, 'server without direct writes'];

const openSocket = (t: Test, kind: Kind, options: OpenOptions = {}) =>
  kind === 'server without direct writes'
    ? open(t, 'server', { ...options, direct: new DirectWrites(undefined) })
    : open(t, kind, options);

for (const role of kinds) {
  t.test(`${role}: send says when the other side does not read, onWritable when it does again`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    other.pause();
    let sent = 1;
    while (socket.send('binary', CHUNK)) sent++;
    t.ok(socket.waiting >= 262_144, 'much waits');
    t.equal(await settled(() => listener.writables), 0);
    other.resume();
    await listener.until(() => listener.writables > 0);
    t.ok(socket.waiting < 262_144);
    for (; sent > 0; sent--) t.equal((await other.frame()).payload.length, CHUNK.length);
    t.equal(listener.writables, 1, 'once for each time that it was held back');
  });

  t.test(`${role}: tiny messages are held back long before their bytes would be`, async (t) => {
    const { socket, other } = await openSocket(t, role);
    other.pause();
    while (socket.waiting === 0) socket.send('binary', CHUNK);
    let sent = 1;
    while (socket.send('pong', Buffer.alloc(0))) sent++;
    t.ok(sent < 5_000, `after ${sent}`);
  });

  t.test(`${role}: items that are pushed while it is held back do not keep it held back`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    other.pause();
    t.equal(socket.send('binary', Buffer.alloc(16 * 2 ** 20)), false);
    for (let i = 0; i < 8; i++) socket.push(new FramePiece('binary', CHUNK));
    socket.flush();
    other.resume();
    await listener.until(() => listener.writables > 0);
    t.equal(socket.send('binary', CHUNK), true);
  });

  t.test(`${role}: a paused socket holds the other side back, and goes on where it was`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    socket.pause();
    const frames = 512;
    let written = 0;
    const frame = other.encode(binary, CHUNK);
    for (let i = 0; i < frames; i++) void other.write(frame).then(() => written++);
    const before = await settled(() => written);
    t.ok(before < frames, `${before} of ${frames} were taken by the buffers between`);
    t.ok(listener.heard.length <= 1);
    socket.resume();
    for (let i = 0; i < frames; i++) {
      t.equal((await listener.next())[0], 'binary');
      if (listener.data.length !== CHUNK.length) t.fail('a message has lost bytes');
    }
    t.equal(written, frames);
  });

  t.test(`${role}: what was sent before its own Close arrives before it, although it waits`, async (t) => {
    const { socket, other } = await openSocket(t, role);
    other.pause();
    let sent = 1;
    while (socket.send('binary', CHUNK)) sent++;
    socket.close(1000);
    other.resume();
    for (; sent > 0; sent--) t.equal((await other.frame()).opcode, binary);
    t.equal((await other.frame()).opcode, opcodes.close);
  });

  t.test(`${role}: an abort frees what waits`, async (t) => {
    const { socket, other } = await openSocket(t, role);
    other.pause();
    while (socket.send('binary', CHUNK));
    socket.push(new FramePiece('binary', CHUNK));
    socket.abort();
    t.equal(socket.waiting, 0);
  });

  t.test(`${role}: pushed pieces keep their order among themselves and with what is sent`, async (t) => {
    const { socket, other } = await openSocket(t, role);
    socket.push(new FramePiece('text', Buffer.from('1')));
    socket.push(new FramePiece('binary', Buffer.from('2')));
    socket.send('text', Buffer.from('3'));
    socket.push(new FramePiece('ping', Buffer.from('4')));
    socket.push(new FramePiece('text', Buffer.alloc(0)));
    socket.close(1000);
    t.strictSame(await other.brief(), [text, '1']);
    t.strictSame(await other.brief(), [binary, '2']);
    t.strictSame(await other.brief(), [text, '3']);
    t.strictSame(await other.brief(), [ping, '4']);
    t.strictSame(await other.brief(), [text, '']);
    t.equal((await other.frame()).opcode, opcodes.close);
  });

  t.test(`${role}: a side that stops reading gets all that is pushed meanwhile, in order, once it reads`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    other.pause();
    let count = 0;
    while (socket.waiting < 2 ** 21) {
      socket.push(new FramePiece('binary', Buffer.alloc(20_000, count++ % 251)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.ok(await settled(() => socket.waiting));
    t.equal(socket.send('text', Buffer.from('between')), false, 'it is held back by what was pushed');
    socket.push(new FramePiece('text', Buffer.from('behind')));
    other.resume();
    for (let i = 0; i < count; i++) {
      const { payload } = await other.frame();
      if (payload.length !== 20_000 || payload[0] !== i % 251) t.fail(`piece ${i} is not what came`);
    }
    t.strictSame(await other.brief(), [text, 'between']);
    t.strictSame(await other.brief(), [text, 'behind']);
    await listener.until(() => listener.writables > 0);
    t.equal(socket.waiting, 0);
    socket.push(new FramePiece('text', Buffer.from('and on')));
    t.strictSame(await other.brief(), [text, 'and on']);
  });

  t.test(
    `${role}: a piece that is taken in part counts as waiting, and what follows it does not overtake it`,
    async (t) => {
      const { socket, other } = await openSocket(t, role);
      other.pause();
      const long = Buffer.alloc(16 * 2 ** 20, 'l');
      socket.push(new FramePiece('binary', long));
      socket.flush();
      t.ok(socket.waiting > 2 ** 20, `${socket.waiting} bytes wait`);
      let count = 0;
      const push = () => socket.push(new FramePiece('text', Buffer.from(`${count++}`)));
      for (let i = 0; i < 50; i++) {
        push();
        socket.flush();
        if (i === 25) socket.push(new FramePiece('binary', long));
      }
      other.resume();
      while (socket.waiting > 0) {
        // What is sent goes through the stream, and waits there.
        socket.send('text', Buffer.from(`${count++}`));
        push();
        await new Promise((resolve) => setImmediate(resolve));
      }
      push();
      const texts: string[] = [];
      while (texts.length < count) {
        const { opcode, payload } = await other.frame();
        if (opcode === text) texts.push(payload.toString());
        else if (!payload.equals(long)) t.fail('a long piece is not whole');
      }
      t.strictSame(
        texts,
        Array.from({ length: count }, (_, i) => `${i}`),
        'in order',
      );
    },
  );

  t.test(`${role}: a side that resets while much waits for it is lost`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    other.pause();
    while (socket.waiting < 2 ** 21) {
      socket.push(new FramePiece('binary', CHUNK));
      await new Promise((resolve) => setImmediate(resolve));
    }
    other.socket.resetAndDestroy();
    while (listener.heard.length === 0) {
      socket.push(new FramePiece('binary', CHUNK));
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.equal((await listener.next())[0], 'lost');
    t.equal(socket.waiting, 0);
  });

  t.test(`${role}: pushed pieces of every length arrive whole`, async (t) => {
    const { socket, other } = await openSocket(t, role);
    for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000]) {
      const payload = Buffer.alloc(size, 'p');
      const piece = new FramePiece('text', payload);
      socket.push(piece);
      socket.push(piece);
      for (let i = 0; i < 2; i++) t.ok((await other.frame()).payload.equals(payload), `${size} bytes`);
      t.ok(payload.equals(Buffer.alloc(size, 'p')), 'and are not changed: others share them');
    }
  });
}

t.test('pieces pushed in one turn of the event loop leave in one write', async (t) => {
  const { socket, wire, other } = await openSocket(t, 'server');
  const writes = countWrites(wire);
  for (let i = 0; i < 20; i++) socket.push(new FramePiece('text', Buffer.from(`${i}`)));
  t.equal(writes.count, 0, 'not before the turn is over');
  t.equal(socket.waiting, 30, 'but they count as waiting');
  for (let i = 0; i < 20; i++) t.strictSame(await other.brief(), [text, `${i}`]);
  t.equal(writes.count, 1);
  socket.push(new FramePiece('text', Buffer.from('later')));
  t.strictSame(await other.brief(), [text, 'later']);
  t.equal(writes.count, 1, 'a single one goes past the stream');
});

t.test('a piece is encoded once for all sockets', async (t) => {
  const piece = new FramePiece('text', Buffer.from('shared'));
  t.equal(piece.frame, piece.frame);
});

t.test('pieces pushed to a socket that has ended go nowhere', async (t) => {
  const { socket, listener, other } = await openSocket(t, 'server');
  other.end();
  await listener.next();
  socket.push(new FramePiece('text', Buffer.from('x')));
  socket.flush();
  t.equal(socket.waiting, 0);
});
