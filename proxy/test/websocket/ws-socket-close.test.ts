import t, { type Test } from 'tap';
import { FramePiece } from '../../dist/websocket/message-socket.js';
import { closeCodeOf, closePayload, opcodes } from '../kit/clients/raw-frames.js';
import { Listener, openSocket, type Role, roles } from './open-socket.js';

const { text, close, ping } = opcodes;

const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const INVALID = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

/** An owner that answers a Close, or a fault, when the test has it. */
class Patient extends Listener {
  onClosing(code: number | undefined, reason: Buffer): void {
    this.add(['closing', code, reason.toString()]);
  }

  onBreach(code: number, error: Error): void {
    this.add(['breach', code, error.message]);
  }
}

const openPatient = async (t: Test, role: Role) => {
  const opened = await openSocket(t, role, { owned: false });
  const owner = new Patient();
  opened.socket.setHandler(owner);
  return { ...opened, owner };
};

for (const role of roles) {
  t.test(`${role}: a Close waits for its owner, which may send before it answers`, async (t) => {
    const { socket, owner, other } = await openPatient(t, role);
    await other.write(Buffer.concat([other.encode(text, 'last'), other.encode(close, closePayload(4001, 'why'))]));
    t.strictSame(await owner.next(), ['text', 'last']);
    t.strictSame(await owner.next(), ['closing', 4001, 'why']);
    t.ok(socket.send('text', Buffer.from('answer')));
    socket.push(new FramePiece('text', Buffer.from('pushed')));
    socket.close(4002, Buffer.from('so'));
    t.strictSame(await other.brief(), [text, 'answer']);
    t.strictSame(await other.brief(), [text, 'pushed']);
    t.same((await other.frame()).payload, closePayload(4002, 'so'));
    other.end();
    t.strictSame(await owner.next(), ['close', 4001, 'why']);
  });

  t.test(`${role}: a fault waits for its owner likewise; what follows it is not read`, async (t) => {
    const { socket, owner, other } = await openPatient(t, role);
    await other.write(Buffer.concat([other.encode(text, 'last'), other.encode(3, 'bad'), other.encode(text, 'late')]));
    t.strictSame(await owner.next(), ['text', 'last']);
    t.strictSame((await owner.next()).slice(0, 2), ['breach', 1002]);
    t.ok(socket.send('text', Buffer.from('answer')));
    socket.close(1002);
    t.strictSame(await other.brief(), [text, 'answer']);
    t.equal(closeCodeOf(await other.frame()), 1002);
    other.end();
    t.equal((await owner.next())[0], 'lost');
    t.strictSame(owner.heard, []);
  });

  t.test(`${role}: a side that ends its sending behind its Close, or its fault, is answered at once`, async (t) => {
    const closed = await openPatient(t, role);
    await closed.other.close(4001, 'why');
    closed.other.end();
    t.same((await closed.other.frame()).payload, closePayload(4001, 'why'));
    closed.socket.close(4002);
    t.strictSame(await closed.other.rest(), []);
    const faulty = await openPatient(t, role);
    await faulty.other.send(3, 'bad');
    faulty.other.end();
    t.equal(closeCodeOf(await faulty.other.frame()), 1002);
  });

  t.test(`${role}: the answer to its own Close is told as soon as it is here`, async (t) => {
    const { socket, owner, other } = await openPatient(t, role);
    socket.close(4001);
    await other.frame();
    await other.text('crossed');
    await other.close(4002, 'mine');
    t.strictSame(await owner.next(), ['text', 'crossed']);
    t.strictSame(await owner.next(), ['closing', 4002, 'mine']);
    other.end();
    t.strictSame(await owner.next(), ['close', 4002, 'mine']);
  });

  t.test(`${role}: an abort instead of an answer ends the connection without one`, async (t) => {
    const { socket, owner, other } = await openPatient(t, role);
    await other.close(4001);
    await owner.next();
    socket.abort();
    t.strictSame(await other.rest(), []);
    t.strictSame(owner.heard, []);
  });

  t.test(`${role}: a Close is answered with the same code, and its owner told`, async (t) => {
    for (const code of VALID) {
      const { listener, other } = await openSocket(t, role);
      await other.close(code, 'why');
      t.strictSame((await other.rest()).map(closeCodeOf), [code]);
      other.end();
      t.strictSame(await listener.next(), ['close', code, 'why']);
    }
  });

  t.test(`${role}: a Close without a code is answered without one, and stays without one`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    await other.close();
    t.strictSame(
      (await other.rest()).map(({ opcode, payload }) => [opcode, payload.length]),
      [[close, 0]],
    );
    other.end();
    t.strictSame(await listener.next(), ['close', undefined, '']);
  });

  for (const code of INVALID) {
    t.test(`${role}: a Close with code ${code} fails the connection with 1002 (RFC 6455 §7.4)`, async (t) => {
      const { listener, other } = await openSocket(t, role);
      await other.close(code, 'bad');
      t.strictSame((await other.rest()).map(closeCodeOf), [1002]);
      other.end();
      t.equal((await listener.next())[0], 'lost');
    });
  }

  t.test(`${role}: a Close of one byte fails the connection with 1002`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    await other.send(close, 'x');
    t.strictSame((await other.rest()).map(closeCodeOf), [1002]);
    other.end();
    t.equal((await listener.next())[0], 'lost');
  });

  t.test(`${role}: a reason of 123 bytes is kept, one of 124 fails the connection`, async (t) => {
    const fits = await openSocket(t, role);
    await fits.other.close(1000, 'r'.repeat(123));
    await fits.other.rest();
    fits.other.end();
    t.strictSame(await fits.listener.next(), ['close', 1000, 'r'.repeat(123)]);
    const longer = await openSocket(t, role);
    await longer.other.close(1000, 'r'.repeat(124));
    t.strictSame((await longer.other.rest()).map(closeCodeOf), [1002]);
  });

  t.test(`${role}: a reason that is not UTF-8 fails the connection with 1007`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    await other.close(1000, Buffer.from([0x61, 0xff]));
    t.strictSame((await other.rest()).map(closeCodeOf), [1007]);
    other.end();
    t.equal((await listener.next())[0], 'lost');
  });

  t.test(`${role}: a message in the same segment as the Close is delivered`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    await other.write(
      Buffer.concat([
        other.encode(ping, 'p'),
        other.encode(text, 'last'),
        other.encode(close, closePayload(1000, 'bye')),
      ]),
    );
    await other.rest();
    other.end();
    t.strictSame(await listener.next(), ['ping', 'p']);
    t.strictSame(await listener.next(), ['text', 'last']);
    t.strictSame(await listener.next(), ['close', 1000, 'bye']);
  });

  t.test(`${role}: a message and a Close that come before there is an owner wait for it`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role, { owned: false });
    await other.write(Buffer.concat([other.encode(text, 'early'), other.encode(close, closePayload(1001, 'gone'))]));
    other.end();
    socket.setHandler(listener);
    t.strictSame(await listener.next(), ['text', 'early']);
    t.strictSame(await listener.next(), ['close', 1001, 'gone']);
  });

  t.test(`${role}: what follows a Close is ignored, a second Close too`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    await other.write(
      Buffer.concat([
        other.encode(close, closePayload(1000)),
        other.encode(text, 'late'),
        other.encode(ping, 'late'),
        other.encode(close, closePayload(1001)),
      ]),
    );
    t.strictSame((await other.rest()).map(closeCodeOf), [1000]);
    other.end();
    t.strictSame(await listener.next(), ['close', 1000, '']);
    t.strictSame(listener.heard, []);
  });

  t.test(`${role}: its own Close carries code and reason, or neither`, async (t) => {
    const reasoned = await openSocket(t, role);
    reasoned.socket.send('text', Buffer.from('before'));
    reasoned.socket.close(4001, Buffer.from('ß'.repeat(61)));
    t.strictSame(await reasoned.other.brief(), [text, 'before']);
    t.same((await reasoned.other.frame()).payload, closePayload(4001, 'ß'.repeat(61)));
    const bare = await openSocket(t, role);
    bare.socket.close();
    t.strictSame(await bare.other.brief(), [close, '']);
  });

  t.test(`${role}: the answer to its own Close ends the connection, and its owner is told`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    socket.close(4001, Buffer.from('done'));
    t.equal(closeCodeOf(await other.frame()), 4001);
    await other.text('crossed on the way');
    await other.close(4001, 'done');
    t.equal(await other.ended(), 'fin');
    other.end();
    t.strictSame(await listener.next(), ['text', 'crossed on the way']);
    t.strictSame(await listener.next(), ['close', 4001, 'done']);
  });

  t.test(`${role}: a paused socket completes its own closing handshake`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role, { closeTimeout: 60_000 });
    socket.pause();
    socket.close(1000);
    await other.frame();
    await other.close(1000);
    t.equal(await other.ended(), 'fin');
    other.end();
    t.strictSame(await listener.next(), ['close', 1000, '']);
  });

  t.test(`${role}: one that does not answer a Close is cut after the time limit`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role, { closeTimeout: 20 });
    socket.close(1000);
    t.strictSame((await other.rest()).map(closeCodeOf), [1000]);
    t.strictSame(await listener.next(), ['lost', undefined]);
  });

  t.test(`${role}: one that keeps its connection open after the closing handshake is cut too`, async (t) => {
    const { listener, other } = await openSocket(t, role, { closeTimeout: 20 });
    await other.close(1000, 'x');
    await other.rest();
    t.strictSame(await listener.next(), ['close', 1000, 'x']);
  });

  t.test(`${role}: calls after the end do nothing`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    await other.close(1000);
    await other.rest();
    other.end();
    await listener.next();
    t.equal(socket.send('text', Buffer.from('x')), true);
    socket.pause();
    socket.resume();
    socket.close(1000);
    socket.abort();
    t.equal(socket.waiting, 0);
    t.strictSame(listener.heard, []);
  });

  t.test(`${role}: a connection that ends without a Close is lost, without an error`, async (t) => {
    const ended = await openSocket(t, role);
    ended.other.end();
    t.strictSame(await ended.listener.next(), ['lost', undefined]);
    const reset = await openSocket(t, role);
    reset.other.reset();
    t.strictSame(await reset.listener.next(), ['lost', undefined]);
  });

  t.test(`${role}: a message that is cut off by the end is not delivered`, async (t) => {
    const { listener, other } = await openSocket(t, role);
    await other.send(text, 'begun', { fin: false });
    await other.write(other.encode(0, 'never completed').subarray(0, 8));
    other.end();
    t.strictSame(await listener.next(), ['lost', undefined]);
  });

  t.test(`${role}: an abort ends the connection without a Close and tells nobody`, async (t) => {
    const { socket, listener, other } = await openSocket(t, role);
    socket.abort();
    t.strictSame(await other.rest(), []);
    t.strictSame(listener.heard, []);
    t.equal(socket.send('text', Buffer.from('x')), true);
  });
}
