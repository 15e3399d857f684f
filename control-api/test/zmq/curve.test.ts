/** CURVE: the text of keys, and who gets in at the sockets of a node. */
import { decodeTnetstring, encodePacket, encodeTnetstring } from '@holdfast/grip';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import * as zeromq from 'zeromq';
import {
  ControlError,
  type CurveKeys,
  isCurveKey,
  makeCurveKeyPair,
  publicCurveKey,
  uncontained,
} from '../../dist/index.js';
import { type Library, loadLibrary } from '../../dist/zmq/library.js';
import { ZeroMqSecurity } from '../../dist/zmq/security.js';
import { RecordingLog } from '../recorder.js';
import { ANY, change, client, makeSockets, openSockets, PATIENCE_MS, until } from './zeromq-fixture.js';

const node = makeCurveKeyPair();
const friend = makeCurveKeyPair();
const stranger = makeCurveKeyPair();

const curve: CurveKeys = {
  secretKey: node.secretKey,
  clients: (key) => (key === friend.publicKey ? 'billing' : undefined),
  publisherKey: undefined,
};

/** What a client of a node is opened with. */
const keysOf = ({ publicKey, secretKey }: typeof friend, server = node.publicKey) => ({
  curvePublicKey: publicKey,
  curveSecretKey: secretKey,
  curveServerKey: server,
});

const item = (content: string, channel = 'a') =>
  encodePacket({ channel, id: content, formats: { 'http-stream': { content } } }, 'json');

/** Those who must not get in, each with the event by which its library says so. */
const intruders = {
  'an unknown key': [keysOf(stranger), 'handshake:error:auth'],
  'a known public key without its secret one': [
    { ...keysOf(stranger), curvePublicKey: friend.publicKey },
    'handshake:error:other',
  ],
  'another key of the node': [keysOf(friend, stranger.publicKey), 'handshake:error:other'],
  'no key': [{}, 'handshake:error:protocol'],
} as const;

/** Resolves when the library gives a connection up. */
const refused = (socket: zeromq.Socket, event: (typeof intruders)[keyof typeof intruders][1]) =>
  new Promise<void>((resolve, reject) => {
    socket.events.on(event, () => resolve());
    setTimeout(reject, PATIENCE_MS, new Error(`no ${event}`)).unref();
  });

t.test('keys are those of the library: it and we make the same public key of a secret one', async (t) => {
  for (let i = 0; i < 50; i++) {
    const { publicKey, secretKey } = zeromq.curveKeyPair();
    t.equal(publicCurveKey(secretKey ?? ''), publicKey);
    const made = makeCurveKeyPair();
    t.equal(publicCurveKey(made.secretKey), made.publicKey);
    t.ok(isCurveKey(publicKey ?? '') && isCurveKey(made.publicKey) && isCurveKey(made.secretKey));
  }
});

t.test('what is not a key is none', async (t) => {
  const key = friend.publicKey;
  for (const text of [
    '',
    key.slice(1),
    `${key}0`,
    ` ${key.slice(1)}`,
    `${key.slice(1)}"`,
    '#'.repeat(40),
    'é'.repeat(40),
  ])
    t.notOk(isCurveKey(text), text);
  fc.assert(
    fc.property(fc.string(), (text) => {
      isCurveKey(text); // whatever it is, it does not throw
    }),
  );
});

/** Sends from a PUSH socket of each intruder; resolves when all have been turned away. */
async function intrude(t: Test, uri: string): Promise<void> {
  for (const [who, [keys, event]] of Object.entries(intruders)) {
    const socket = client(t, () => new zeromq.Push({ linger: 0, ...keys }));
    const gone = refused(socket, event);
    socket.connect(uri);
    void socket.send(item(`attacked by ${who}`)).catch(() => {});
    await gone;
  }
}

t.test('PULL: the right key publishes; others get nothing in, and are in the log by their public key', async (t) => {
  const { listener, log, uri } = await openSockets(t, { pushInSpec: ANY, curve });
  await intrude(t, uri('publish items'));
  const publisher = client(t, () => new zeromq.Push({ linger: 0, ...keysOf(friend) }), uri('publish items'));
  await publisher.send(item('right'));
  await listener.saw('a/right');
  t.strictSame(listener.labels, ['a/right']);
  const warnings = log.lines.filter(({ message }) => message === 'ZeroMQ client refused: unknown key');
  t.match(warnings[0], { level: 'warn', fields: { client: '127.0.0.1', publicKey: stranger.publicKey } });
  t.match(log.lines.find(({ message }) => message === 'ZeroMQ client connected')?.fields, { key: 'billing' });
  t.match(log.lines, [{ fields: { publicKey: node.publicKey } }], 'what clients need is in the log');
  for (const { secretKey } of [node, friend, stranger]) t.notMatch(JSON.stringify(log.lines), secretKey);
});

t.test('the command socket answers the right key alone', async (t) => {
  const { uri } = await openSockets(t, { commandSpec: ANY, curve });
  const request = encodeTnetstring({ id: '1', method: 'get-zmq-uris', args: {} });
  for (const [who, [keys, event]] of Object.entries(intruders)) {
    const socket = client(t, () => new zeromq.Dealer({ linger: 0, ...keys }));
    const gone = refused(socket, event);
    socket.connect(uri('commands'));
    void socket.send(['', request]).catch(() => {});
    await gone;
    socket.receiveTimeout = 100;
    await t.rejects(socket.receive(), { code: 'EAGAIN' }, who);
  }
  const socket = client(t, () => new zeromq.Request({ linger: 0, ...keysOf(friend) }), uri('commands'));
  await socket.send(request);
  const [reply] = await socket.receive();
  t.match(decodeTnetstring(reply as Buffer), { success: true });
});

t.test('statistics go to the right key alone', async (t) => {
  const { sockets, uri } = await openSockets(t, { statsSpec: ANY, curve });
  const others = await Promise.all(
    Object.values(intruders).map(async ([keys, event]) => {
      const socket = client(t, () => new zeromq.Subscriber({ linger: 0, ...keys }));
      socket.subscribe('');
      const gone = refused(socket, event);
      socket.connect(uri('statistics'));
      await gone;
      return socket;
    }),
  );
  t.notOk(sockets.wants('report'), 'their subscriptions have not come');
  const monitor = client(t, () => new zeromq.Subscriber({ linger: 0, ...keysOf(friend) }), uri('statistics'));
  monitor.subscribe('report');
  await until('the subscription', () => sockets.wants('report'));
  sockets.send(Buffer.from('report J{}'));
  t.strictSame(await monitor.receive(), [Buffer.from('report J{}')]);
  for (const socket of others) {
    socket.receiveTimeout = 100;
    await t.rejects(socket.receive(), { code: 'EAGAIN' });
  }
});

t.test('SUB, bound: publishers with the right key see the channels, and no others', async (t) => {
  const { sockets, listener, uri } = await openSockets(t, { pushInSubSpecs: [ANY], curve });
  sockets.subscribed('a');
  for (const [who, [keys, event]] of Object.entries(intruders)) {
    const socket = client(t, () => new zeromq.XPublisher({ linger: 0, ...keys }));
    const gone = refused(socket, event);
    socket.connect(uri('published items'));
    await gone;
    socket.receiveTimeout = 100;
    await t.rejects(socket.receive(), { code: 'EAGAIN' }, who);
  }
  const publisher = client(t, () => new zeromq.XPublisher({ linger: 0, ...keysOf(friend) }), uri('published items'));
  t.equal(await change(publisher), '+a');
  await publisher.send(['a', item('right')]);
  await listener.saw('a/right');
  t.strictSame(listener.labels, ['a/right']);
});

t.test(
  'SUB that connects is the client: only a publisher with the key that is configured is listened to',
  async (t) => {
    const binds = async (keys: typeof friend) => {
      const publisher = client(
        t,
        () => new zeromq.XPublisher({ linger: 0, curveServer: true, curveSecretKey: keys.secretKey }),
      );
      await publisher.bind(ANY);
      return { publisher, uri: publisher.lastEndpoint ?? '' };
    };
    const [right, wrong] = [await binds(friend), await binds(stranger)];
    const plain = client(t, () => new zeromq.XPublisher({ linger: 0 }));
    await plain.bind(ANY);
    const { sockets, listener } = await makeSockets(t, {
      pushInSubSpecs: [wrong.uri, plain.lastEndpoint ?? '', right.uri],
      pushInSubConnect: true,
      curve: { ...curve, publisherKey: friend.publicKey },
    });
    sockets.subscribed('a');
    await sockets.open();
    t.equal(await change(right.publisher), '+a');
    await right.publisher.send(['a', item('right')]);
    await listener.saw('a/right');
    for (const publisher of [wrong.publisher, plain]) {
      publisher.receiveTimeout = 100;
      await t.rejects(publisher.receive(), { code: 'EAGAIN' }, 'no subscription has come');
    }
  },
);

t.test('sockets of files have no CURVE, nodes of one process have keys of their own', async (t) => {
  const one = await openSockets(t, { pushInSpec: ANY, curve });
  const other = await openSockets(t, {
    pushInSpec: ANY,
    curve: { ...curve, clients: (key) => (key === stranger.publicKey ? 'other' : undefined) },
  });
  const send = async (uri: string, keys: typeof friend) => {
    const socket = client(t, () => new zeromq.Push({ linger: 0, ...keysOf(keys) }), uri);
    await socket.send(item('own'));
  };
  await send(one.uri('publish items'), friend);
  await send(other.uri('publish items'), stranger);
  await one.listener.saw('a/own');
  await other.listener.saw('a/own');
  const security = new ZeroMqSecurity(await loadLibrary(), curve, new RecordingLog(), uncontained);
  t.strictSame(security.bound('ipc:///tmp/x'), {});
  t.match(security.bound('tcp://127.0.0.1:1'), { curveServer: true });
});

t.test('while nobody says who may connect, nobody may', async (t) => {
  const library = await loadLibrary();
  const security = new ZeroMqSecurity(library, curve, new RecordingLog(), uncontained);
  const pull = client(t, () => new zeromq.Pull({ linger: 0, ...security.bound(ANY) }));
  await pull.bind(ANY);
  const push = client(
    t,
    () => new zeromq.Push({ linger: 0, immediate: true, ...keysOf(friend) }),
    pull.lastEndpoint ?? '',
  );
  push.sendTimeout = 500;
  await t.rejects(push.send('x'), { code: 'EAGAIN' });
  await security.open();
  t.teardown(() => security.close());
  push.sendTimeout = PATIENCE_MS;
  await push.send('y');
  t.strictSame(await pull.receive(), [Buffer.from('y')]);
});

t.test('a fault in looking a key up lets nobody in, and the next one is asked again', async (t) => {
  const caught: unknown[] = [];
  const faults = { ...uncontained, caught: (_: unknown, error: unknown) => void caught.push(error) };
  let asked = 0;
  const clients = (key: string) => {
    if (asked++ === 0) throw new Error('no file');
    return curve.clients(key);
  };
  const { listener, uri } = await openSockets(t, { pushInSpec: ANY, curve: { ...curve, clients } }, { faults });
  const first = client(t, () => new zeromq.Push({ linger: 0, ...keysOf(friend) }));
  const gone = refused(first, 'handshake:error:auth');
  first.connect(uri('publish items'));
  await gone;
  const second = client(t, () => new zeromq.Push({ linger: 0, ...keysOf(friend) }), uri('publish items'));
  await second.send(item('right'));
  await listener.saw('a/right');
  t.match(caught, [{ message: 'no file' }]);
});

t.test('a build of the library without CURVE is refused', async (t) => {
  const library = { ...(await loadLibrary()), capability: { curve: false } } as unknown as Library;
  const make = () => new ZeroMqSecurity(library, curve, new RecordingLog(), uncontained);
  t.throws(make, { constructor: ControlError, code: 'ERR_ZMQ_CURVE' });
});
