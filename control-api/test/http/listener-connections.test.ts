/** Which connection goes when there is no room. */
import { Socket } from 'node:net';
import t from 'tap';
import { ListenerConnections, type Phase } from '../../dist/index.js';

function fixture(max: number, maxBytes = 1_000) {
  const ended: string[] = [];
  const names = new Map<Socket, string>();
  const connections = new ListenerConnections({
    max,
    maxBytes,
    end: (socket, phase) => ended.push(`${names.get(socket)} ${phase}`),
  });
  const open = (name: string, phase: Phase = 'new') => {
    const socket = new Socket();
    names.set(socket, name);
    const taken = connections.open(socket);
    if (taken && phase !== 'new') connections.enter(socket, phase);
    return { socket, taken };
  };
  return { connections, ended, open };
}

t.test('refused and unused connections go first, then the one that has been longest in its phase', async (t) => {
  const { ended, open, connections } = fixture(8);
  open('i1', 'idle');
  open('a', 'arriving');
  open('s', 'sending');
  open('i2', 'idle');
  open('w', 'working');
  open('n1');
  open('n2');
  open('l', 'leaving');
  for (let i = 0; i < 7; i += 1) t.ok(open(`x${i}`, 'working').taken);
  t.strictSame(ended, ['l leaving', 'n1 new', 'n2 new', 'i1 idle', 'a arriving', 's sending', 'i2 idle']);
  t.equal(open('y').taken, false, 'those that work stay');
  t.equal(connections.size, 8);
});

t.test('a connection that does something is young again', async (t) => {
  const { ended, open, connections } = fixture(2);
  const { socket } = open('publisher', 'idle');
  open('pool', 'idle');
  connections.enter(socket, 'arriving');
  connections.enter(socket, 'idle');
  open('new');
  t.strictSame(ended, ['pool idle']);
});

t.test('bytes are let go with the phase; over the limit answers go before bodies, the oldest first', async (t) => {
  const { ended, open, connections } = fixture(9, 1_000);
  const body = open('body', 'arriving').socket;
  const answer = open('answer', 'sending').socket;
  const young = open('young', 'arriving').socket;
  open('idle', 'idle');
  connections.hold(body, 400);
  connections.hold(answer, 400);
  connections.hold(young, 200);
  t.strictSame(ended, []);
  connections.hold(young, 1);
  t.strictSame(ended, ['answer sending']);
  connections.enter(young, 'working');
  t.equal(connections.bytes, 400);
  connections.hold(body, 601);
  t.strictSame(ended, ['answer sending', 'body arriving']);
  t.equal(connections.bytes, 0);
  connections.hold(body, 5);
  connections.enter(body, 'idle');
  t.equal(connections.bytes, 0, 'who was ended is not counted any more');
  t.equal(connections.size, 2);
});

t.test('a connection that closes is forgotten', async (t) => {
  const { open, connections } = fixture(2);
  const { socket } = open('a', 'arriving');
  connections.hold(socket, 10);
  socket.destroy();
  await new Promise((resolve) => socket.once('close', resolve));
  t.strictSame([connections.size, connections.bytes], [0, 0]);
});
