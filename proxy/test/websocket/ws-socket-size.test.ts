import t from 'tap';
import { MAX_FRAGMENTS } from '../../dist/websocket/ws-library.js';
import { closeCodeOf, opcodes } from '../kit/clients/raw-frames.js';
import type { RawSocket } from '../kit/clients/raw-socket.js';
import { openSocket, roles } from './open-socket.js';

const SIZES = [0, 125, 126, 127, 128, 65_535, 65_536];
const MESSAGE_MAX = 16 * 2 ** 20;

const pattern = (size: number): Buffer => Buffer.from(Buffer.alloc(size, 'Holdfast keeps every byte. '));

function fragments(other: RawSocket, bytes: Buffer, size: number): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const opcode = at === 0 ? opcodes.binary : opcodes.continuation;
    frames.push(other.encode(opcode, bytes.subarray(at, at + size), { fin: at + size >= bytes.length }));
  }
  return Buffer.concat(frames);
}

for (const role of roles) {
  for (const type of ['text', 'binary'] as const) {
    for (const size of SIZES) {
      t.test(`${role}: a ${type} message of ${size} bytes comes and goes`, async (t) => {
        const { socket, listener, other } = await openSocket(t, role);
        const bytes = pattern(size);
        const frame = other.encode(opcodes[type], bytes);
        await other.write(frame);
        t.equal((await listener.next())[0], type);
        t.ok(listener.data.equals(bytes));
        await other.chop(frame, size < 1_000 ? 1 : 997);
        t.equal((await listener.next())[0], type);
        t.ok(listener.data.equals(bytes));
        socket.send(type, bytes);
        const sent = await other.frame();
        t.equal(sent.opcode, opcodes[type]);
        t.ok(sent.payload.equals(bytes));
      });
    }
  }

  t.test(`${role}: a message of 16 MiB comes and goes in one frame`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    const bytes = pattern(MESSAGE_MAX);
    void other.send(opcodes.binary, bytes);
    await listener.next();
    t.ok(listener.data.equals(bytes));
    socket.send('binary', bytes);
    t.ok((await other.frame()).payload.equals(bytes));
  });

  for (const size of [1_024, 65_536]) {
    t.test(`${role}: a message of 16 MiB comes in fragments of ${size} bytes`, async (t) => {
      const { listener, other } = await openSocket(t, role);
      const bytes = pattern(MESSAGE_MAX);
      void other.write(fragments(other, bytes, size));
      await listener.next();
      t.ok(listener.data.equals(bytes));
    });
  }

  t.test(`${role}: a message of 100,000 fragments of one byte is taken`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    void other.write(fragments(other, pattern(100_000), 1));
    await listener.next();
    t.ok(listener.data.equals(pattern(100_000)));
  });

  t.test(`${role}: a message of more fragments than may be fails with 1008`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    void other.write(fragments(other, pattern(MAX_FRAGMENTS + 1), 1));
    t.strictSame((await other.rest()).map(closeCodeOf), [1008]);
    other.end();
    t.match(await listener.next(), ['lost', { message: /fragments/ }]);
  });

  t.test(`${role}: where messages are short, so are fragments few`, async (t) => {
    const { listener, other } = await openSocket(t, role, { websocketMessageMax: 2_000 });
    await other.write(fragments(other, pattern(1_024), 1));
    t.equal((await listener.next())[0], 'binary');
    void other.write(fragments(other, pattern(1_025), 1));
    t.strictSame((await other.rest()).map(closeCodeOf), [1008]);
    other.end();
  });

  t.test(`${role}: a message of exactly the limit is taken, one byte more fails with 1009`, async (t) => {
    const { listener, other } = await openSocket(t, role, { websocketMessageMax: 1_000 });
    await other.send(opcodes.text, 'x'.repeat(1_000));
    t.equal((await listener.next())[0], 'text');
    await other.send(opcodes.text, 'x'.repeat(1_001));
    t.strictSame((await other.rest()).map(closeCodeOf), [1009]);
    other.end();
    t.match(await listener.next(), ['lost', { message: /size/ }]);
  });

  t.test(`${role}: fragments that together exceed the limit fail with 1009`, async (t) => {
    const { listener, other } = await openSocket(t, role, { websocketMessageMax: 1_000 });
    await other.send(opcodes.text, 'x'.repeat(600), { fin: false });
    await other.send(opcodes.continuation, 'x'.repeat(600));
    t.strictSame((await other.rest()).map(closeCodeOf), [1009]);
    other.end();
    t.equal((await listener.next())[0], 'lost');
  });

  t.test(`${role}: the limit is known from the frame's head: its bytes are not waited for`, async (t) => {
    const { other } = await openSocket(t, role, { websocketMessageMax: 1_000 });
    await other.write(other.encode(opcodes.binary, pattern(100_000)).subarray(0, 14));
    t.strictSame((await other.rest()).map(closeCodeOf), [1009]);
  });
}
