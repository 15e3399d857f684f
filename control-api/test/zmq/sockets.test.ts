/** The sockets together: none, all or none, and the statistics socket with a SUB client. */
import t, { type Test } from 'tap';
import * as zeromq from 'zeromq';
import { ControlError } from '../../dist/index.js';
import { type Library, loadLibrary, parseSpec } from '../../dist/zmq/library.js';
import { ANY, client, makeSockets, openSockets, PATIENCE_MS, push, until } from './zeromq-fixture.js';

t.test('nothing configured: nothing is opened, and no call has an effect', async (t) => {
  const { sockets, addresses } = await openSockets(t, {});
  t.same(addresses, []);
  sockets.subscribed('a');
  sockets.unsubscribed('a');
  t.equal(sockets.wants('sub'), false);
  sockets.send(Buffer.from('x'));
  sockets.close();
  sockets.close();
});

t.test('all sockets are named with their addresses', async (t) => {
  const { addresses } = await openSockets(t, {
    pushInSpec: ANY,
    pushInSubSpecs: [ANY],
    commandSpec: ANY,
    statsSpec: ANY,
  });
  t.match(addresses, [
    { what: 'publish items', connects: false },
    { what: 'published items', connects: false },
    { what: 'statistics', connects: false },
    { what: 'commands', connects: false },
  ]);
  for (const { uri } of addresses) t.match(uri, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
});

t.test('if one socket cannot be opened, none is left open', async (t) => {
  const { uri } = await openSockets(t, { pushInSpec: ANY });
  const taken = uri('publish items');
  const free = await openSockets(t, { pushInSpec: ANY });
  const pull = free.uri('publish items');
  free.sockets.close();
  const { sockets } = await makeSockets(t, { pushInSpec: pull, commandSpec: taken });
  await t.rejects(sockets.open(), { constructor: ControlError, code: 'ERR_ZMQ_OPEN' });
  t.ok(await bindable(t, pull), 'the address is free again');
});

/** Waits until an address can be bound: the library closes sockets in the background. */
async function bindable(t: Test, uri: string): Promise<boolean> {
  const probe = client(t, () => new zeromq.Pull({ linger: 0 }));
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const bound = await probe.bind(uri).then(
      () => true,
      () => new Promise<false>((resolve) => setTimeout(resolve, 5, false)),
    );
    if (bound) return true;
  }
  return false;
}

t.test('a missing package is an error that says what to install', async (t) => {
  const missing = Object.assign(new Error("Cannot find package 'zeromq'"), { code: 'ERR_MODULE_NOT_FOUND' });
  await t.rejects(
    loadLibrary(() => Promise.reject(missing)),
    { code: 'ERR_ZMQ_MISSING', message: /zeromq is not installed: run `npm install zeromq`/, cause: missing },
  );
});

t.test('a package without a binary for this system is another', async (t) => {
  const broken = (): Promise<Library> => Promise.reject(new Error('No compatible zeromq.js addon found'));
  await t.rejects(loadLibrary(broken), { code: 'ERR_ZMQ_MISSING', message: /cannot be loaded \(No compatible/ });
});

t.test('specs: tcp with host and port, or ipc with a path, and nothing else', async (t) => {
  for (const good of [
    'tcp://127.0.0.1:5560',
    'tcp://*:5560',
    'tcp://eth0:5560',
    'tcp://[::1]:5560',
    'tcp://localhost:*',
    'ipc:///run/a b',
    'ipc://run/pushpin-stats',
    'ipc://@abstract',
  ])
    t.equal(parseSpec(good).text, good);
  t.match(parseSpec('ipc://run/x'), { file: 'run/x', ipv6: false, anyPort: false });
  t.match(parseSpec('ipc://@x'), { file: undefined });
  t.match(parseSpec('tcp://[::1]:0'), { ipv6: true, anyPort: true });
  for (const bad of [
    '',
    '5560',
    '127.0.0.1:5560',
    'tcp://127.0.0.1',
    'tcp://:5560',
    'tcp://127.0.0.1:65536',
    'tcp://127.0.0.1:5560/',
    'tcp://::1:5560',
    'ipc://',
    'inproc://a',
    'http://127.0.0.1:5561',
  ])
    t.throws(() => parseSpec(bad), { code: 'ERR_ZMQ_SPEC' }, bad);
});

t.test('statistics: a SUB client gets the types it subscribes to, and others are not wanted', async (t) => {
  const { sockets, uri } = await openSockets(t, { statsSpec: ANY });
  t.equal(sockets.wants('sub'), false, 'nobody listens yet');
  const one = client(t, () => new zeromq.Subscriber({ linger: 0 }), uri('statistics'));
  one.subscribe('sub ');
  await until('the subscription', () => sockets.wants('sub'));
  t.equal(sockets.wants('conn'), false);
  sockets.send(Buffer.from('conn T0:}'));
  sockets.send(Buffer.from('sub T0:}'));
  t.equal(String((await one.receive())[0]), 'sub T0:}');

  const all = client(t, () => new zeromq.Subscriber({ linger: 0 }), uri('statistics'));
  all.subscribe();
  await until('the second', () => sockets.wants('conn'));
  sockets.send(Buffer.from('conn-max T0:}'));
  t.equal(String((await all.receive())[0]), 'conn-max T0:}');
  all.close();
  await until('its end', () => !sockets.wants('conn'));
  t.equal(sockets.wants('sub'), true, 'the first one is still there');
});

t.test('a prefix shorter or longer than the type is a subscription to it', async (t) => {
  const { sockets, uri } = await openSockets(t, { statsSpec: ANY });
  const one = client(t, () => new zeromq.Subscriber({ linger: 0 }), uri('statistics'));
  one.subscribe('conn', 'sub J{"channel":"a"');
  await until('the subscriptions', () => sockets.wants('conn') && sockets.wants('sub'));
  t.equal(sockets.wants('conn-max'), true);
  t.equal(sockets.wants('counts'), false);
});

t.test('after close nothing is taken and nothing sent', async (t) => {
  const { sockets, listener, uri } = await openSockets(t, { pushInSpec: ANY, pushInSubSpecs: [ANY], statsSpec: ANY });
  const publisher = push(t, uri('publish items'));
  sockets.close();
  await publisher.send('J{"channel":"a","id":"1","formats":{"http-stream":{"content":"x"}}}');
  sockets.subscribed('a');
  sockets.unsubscribed('a');
  sockets.send(Buffer.from('sub T0:}'));
  t.same(listener.labels, []);
});
