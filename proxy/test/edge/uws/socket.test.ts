/** What a client's WebSocket keeps, with a library in the hands of the test: the real one cannot be brought to a point. */
import { uncontained } from '@holdfast/control-api';
import t, { type Test } from 'tap';
import type { UwsWebSocket } from '../../../dist/edge/uws/library.js';
import { KEPT_BYTES, KEPT_MAX, PONGS_MAX, UwsSocket, type UwsSocketData } from '../../../dist/edge/uws/socket.js';
import { FlushQueue } from '../../../dist/runtime/flush-queue.js';
import type { MessageType, SocketHandler } from '../../../dist/websocket/message-socket.js';
import { ManualClock } from '../../kit/manual-clock.js';

const NOTHING = new ArrayBuffer(0);

/** Notes what it hears. */
class Owner implements SocketHandler {
  readonly heard: string[] = [];
  lost: Error | undefined;

  onMessage(type: MessageType, data: Buffer): void {
    this.heard.push(`${type} ${data}`);
  }

  onClose(): void {}

  onLost(error: Error | undefined): void {
    this.lost = error ?? new Error('without a word');
  }

  onWritable(): void {}
}

/** A socket that is open; `library.buffered` is what its client has not taken. */
function start(t: Test) {
  const library = { buffered: 0, closed: false };
  const socket = new UwsSocket(
    { clock: new ManualClock(), flushes: new FlushQueue(), compression: false, faults: uncontained },
    false,
  );
  socket.opened({
    getBufferedAmount: () => library.buffered,
    close: () => {
      if (library.closed) t.fail('closed twice');
      library.closed = true;
      socket.closed(1006, NOTHING);
    },
  } as unknown as UwsWebSocket<UwsSocketData>);
  const owner = new Owner();
  return { library, socket, owner };
}

const turn = () => new Promise(setImmediate);

t.test('empty messages that nobody takes are bounded by their number', async (t) => {
  const { library, socket, owner } = start(t);
  socket.setHandler(owner);
  await turn();
  socket.pause();
  const most = KEPT_MAX / KEPT_BYTES;
  for (let i = 0; i < most; i++) socket.received('text', NOTHING);
  t.notOk(library.closed, `${most} may wait`);
  socket.received('text', NOTHING);
  t.ok(library.closed);
  socket.received('text', NOTHING);
  socket.resume();
  await turn();
  t.match(owner.lost, { message: /wait for the origin/ });
  t.strictSame(owner.heard, [], 'what waited is nobody’s');
});

t.test('so many of them that waited are handed on in order', async (t) => {
  const { socket, owner } = start(t);
  const count = 40_000;
  for (let i = 0; i < count; i++) socket.received('text', new Uint8Array(Buffer.from(`${i}`)).buffer);
  socket.setHandler(owner);
  await turn();
  t.equal(owner.heard.length, count);
  t.ok(owner.heard.every((text, i) => text === `text ${i}`));
});

t.test('a client that sends pings and takes no pongs is cut', async (t) => {
  const { library, socket, owner } = start(t);
  socket.setHandler(owner);
  await turn();
  library.buffered = 1;
  let pings = 0;
  for (; !library.closed && pings < PONGS_MAX; pings++) socket.received('ping', NOTHING);
  t.equal(pings, PONGS_MAX / 2 + 1);
  await turn();
  t.match(owner.lost, { message: /pongs wait for the client/ });
});

t.test('a client that has taken its pongs may send more, however slow it was', async (t) => {
  const { library, socket, owner } = start(t);
  socket.setHandler(owner);
  await turn();
  for (let round = 0; round < 10; round++) {
    library.buffered = 1;
    for (let i = 0; i < PONGS_MAX / 4; i++) socket.received('ping', NOTHING);
    library.buffered = 0;
    socket.received('ping', NOTHING);
  }
  t.notOk(library.closed);
});
