import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import t from 'tap';
import { FramePiece } from '../../dist/websocket/message-socket.js';
import { closeCodeOf, type Frame, opcodes } from '../kit/clients/raw-frames.js';
import { type OpenOptions, openSocket, type Role, roles } from './open-socket.js';

const { continuation, text, binary, close, ping } = opcodes;
const RSV1 = 4;

/** The handshake line by which the other side negotiates compression, in either role. */
const lines = ['Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover'];

const compressed = (t: Parameters<typeof openSocket>[0], role: Role, options: OpenOptions = {}) =>
  openSocket(t, role, { allowCompression: true, lines, ...options });

/** RFC 7692 §7.2.1: without the empty block at the end. */
function deflate(bytes: string | Buffer): Buffer {
  return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** RFC 7692 §7.2.2. */
function inflate({ payload, rsv }: Frame): string {
  if (rsv !== RSV1) throw new Error(`frame is not compressed: reserved bits ${rsv}`);
  const tail = Buffer.from([0, 0, 0xff, 0xff]);
  return inflateRawSync(Buffer.concat([payload, tail]), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
}

const long = 'compress me, '.repeat(1_000);

for (const role of roles) {
  t.test(`${role}: long messages are compressed, each by itself; short ones are not`, async (t) => {
    const { socket, other } = await compressed(t, role);
    for (let i = 0; i < 2; i++) {
      socket.send('text', Buffer.from(long));
      const frame = await other.frame();
      t.ok(frame.payload.length < long.length / 10);
      t.equal(inflate(frame), long);
    }
    socket.send('text', Buffer.from('short'));
    t.match(await other.frame(), { opcode: text, rsv: 0, payload: Buffer.from('short') });
  });

  t.test(`${role}: sizes from 0 bytes to 16 MiB survive, both ways`, async (t) => {
    const { socket, listener, other } = await compressed(t, role);
    for (const size of [0, 1, 125, 126, 511, 512, 65_535, 65_536, 16 * 2 ** 20]) {
      const bytes = Buffer.alloc(size, 'some text that repeats ');
      void other.send(binary, deflate(bytes), { rsv: RSV1 });
      t.equal((await listener.next())[0], 'binary');
      t.ok(listener.data.equals(bytes), `${size} bytes in`);
      socket.send('binary', bytes);
      const frame = await other.frame();
      t.ok(frame.rsv === 0 ? frame.payload.equals(bytes) : inflate(frame) === bytes.toString(), `${size} bytes out`);
    }
  });

  t.test(`${role}: bytes that do not compress survive`, async (t) => {
    const { socket, listener, other } = await compressed(t, role);
    const bytes = randomBytes(100_000);
    await other.send(binary, deflate(bytes), { rsv: RSV1 });
    await listener.next();
    t.ok(listener.data.equals(bytes));
    socket.send('binary', bytes);
    const { payload } = await other.frame();
    const tail = Buffer.from([0, 0, 0xff, 0xff]);
    t.ok(inflateRawSync(Buffer.concat([payload, tail]), { finishFlush: constants.Z_SYNC_FLUSH }).equals(bytes));
  });

  t.test(`${role}: a compressed message may be fragmented, with pings between`, async (t) => {
    const { listener, other } = await compressed(t, role);
    const bytes = deflate(long);
    const cut = Math.floor(bytes.length / 2);
    await other.send(text, bytes.subarray(0, cut), { rsv: RSV1, fin: false });
    await other.send(ping, 'between');
    await other.send(continuation, bytes.subarray(cut));
    t.strictSame(await listener.next(), ['ping', 'between']);
    t.equal((await listener.next())[0], 'text');
    t.equal(listener.data.toString(), long);
  });

  t.test(`${role}: a message that the other side did not compress is taken`, async (t) => {
    const { listener, other } = await compressed(t, role);
    await other.text('as it is');
    t.strictSame(await listener.next(), ['text', 'as it is']);
  });

  t.test(`${role}: order is kept between what is sent, pushed and closed, compressed or not`, async (t) => {
    const { socket, other } = await compressed(t, role);
    socket.send('text', Buffer.from(`1${long}`));
    socket.push(new FramePiece('text', Buffer.from('2')));
    socket.send('ping', Buffer.from('3'));
    socket.push(new FramePiece('text', Buffer.from(`4${long}`)));
    socket.push(new FramePiece('binary', Buffer.from('5')));
    socket.close(1000);
    t.equal(inflate(await other.frame()), `1${long}`);
    t.strictSame(await other.brief(), [text, '2']);
    t.strictSame(await other.brief(), [ping, '3']);
    t.equal(inflate(await other.frame()), `4${long}`);
    t.strictSame(await other.brief(), [binary, '5']);
    t.equal((await other.frame()).opcode, close);
  });

  t.test(`${role}: a compressed message in the same segment as the Close is delivered`, async (t) => {
    const { listener, other } = await compressed(t, role);
    await other.write(
      Buffer.concat([other.encode(text, deflate(long), { rsv: RSV1 }), other.encode(close, Buffer.from([3, 232]))]),
    );
    await other.rest();
    other.end();
    t.equal((await listener.next())[0], 'text');
    t.equal(listener.data.toString(), long);
    t.strictSame(await listener.next(), ['close', 1000, '']);
  });

  for (const [says, opcode, rsv] of [
    ['RSV1 on a ping', ping, 4],
    ['RSV2 on a message', text, 2],
    ['RSV3 on a message', text, 1],
    ['RSV1 and RSV2 on a message', text, 6],
  ] as const) {
    t.test(`${role}: ${says} fails the connection with 1002`, async (t) => {
      const { other } = await compressed(t, role);
      await other.send(opcode, deflate('x'), { rsv });
      t.strictSame((await other.rest()).map(closeCodeOf), [1002]);
    });
  }

  t.test(`${role}: RSV1 on a continuation fails the connection with 1002 (RFC 7692 §6.1)`, async (t) => {
    const { other } = await compressed(t, role);
    await other.send(text, deflate('x'), { rsv: RSV1, fin: false });
    await other.send(continuation, '', { rsv: RSV1 });
    t.strictSame((await other.rest()).map(closeCodeOf), [1002]);
  });

  t.test(`${role}: bytes that cannot be inflated, or are not UTF-8 when they are, fail with 1007`, async (t) => {
    for (const payload of [Buffer.from('ffffffffff', 'hex'), deflate(Buffer.from([0xc0, 0xaf]))]) {
      const { listener, other } = await compressed(t, role);
      await other.send(text, payload, { rsv: RSV1 });
      t.strictSame((await other.rest()).map(closeCodeOf), [1007]);
      other.end();
      t.equal((await listener.next())[0], 'lost');
    }
  });

  t.test(`${role}: the limit is on what a message inflates to`, async (t) => {
    const { listener, other } = await compressed(t, role, { websocketMessageMax: 10_000 });
    await other.send(text, deflate('z'.repeat(10_000)), { rsv: RSV1 });
    t.equal((await listener.next())[0], 'text');
    await other.send(text, deflate('z'.repeat(1_000_000)), { rsv: RSV1 });
    t.strictSame((await other.rest()).map(closeCodeOf), [1009]);
  });

  t.test(`${role}: without a negotiation nothing is compressed, although the setting is on`, async (t) => {
    const { socket, other } = await compressed(t, role, { lines: [] });
    socket.send('text', Buffer.from(long));
    const frame = await other.frame();
    t.strictSame([frame.rsv, frame.payload.toString()], [0, long]);
    await other.send(text, deflate('x'), { rsv: RSV1 });
    t.strictSame((await other.rest()).map(closeCodeOf), [1002]);
  });

  t.test(`${role}: what is being compressed counts as waiting`, async (t) => {
    const { socket, listener, other } = await compressed(t, role);
    other.pause();
    t.equal(socket.send('binary', randomBytes(2 ** 20)), false);
    t.ok(socket.waiting >= 2 ** 20);
    other.resume();
    await listener.until(() => listener.writables > 0);
    t.equal(socket.waiting, 0);
  });
}
