/** The command socket, with REQ and DEALER clients. Expected replies are Pushpin's, as seen on the wire. */
import { decodeTnetstring, encodePacket, encodeTnetstring } from '@holdfast/grip';
import t, { type Test } from 'tap';
import * as zeromq from 'zeromq';
import { PartlyAccepted } from '../../dist/errors.js';
import { type Connections, ControlError } from '../../dist/index.js';
import { ANY, client, openSockets, req, until } from './zeromq-fixture.js';

/** Byte strings as text, at any depth. */
function texts(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  if (Array.isArray(value)) return value.map(texts);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, texts(member)]));
}

async function setUp(t: Test, connections?: Connections) {
  const specs = { commandSpec: ANY, pushInSpec: ANY, pushInSubSpecs: [ANY] };
  const opened = await openSockets(t, specs, connections === undefined ? {} : { connections });
  const socket = req(t, opened.uri('commands'));
  const ask = async (request: unknown) => {
    await socket.send(encodeTnetstring(request));
    const [reply] = await socket.receive();
    return texts(decodeTnetstring(reply as Buffer));
  };
  return { ...opened, ask };
}

const item = (id: string) => ({ channel: 'a', id, formats: { 'http-stream': { content: id } } });

t.test('publish: all items, in order, and a value of null', async (t) => {
  const { ask, listener } = await setUp(t);
  t.same(await ask({ id: '1', method: 'publish', args: { items: [item('1'), item('2')] } }), {
    id: '1',
    success: true,
    value: null,
  });
  t.same(listener.labels, ['a/1', 'a/2'], 'they are with the backplane when the reply comes');
  t.same(await ask({ id: '2', method: 'publish', args: { items: [] } }), { id: '2', success: true, value: null });
});

t.test('publish: bad-request with the text, and nothing is published', async (t) => {
  const { ask, listener, events } = await setUp(t);
  const refused = (value: string) => ({ id: '4', success: false, condition: 'bad-request', value });
  for (const [args, text] of [
    [undefined, "object does not contain 'items'"],
    [{}, "object does not contain 'items'"],
    [{ items: 'x' }, "object contains 'items' with wrong type: expected a list, got a string"],
    [{ items: [{}] }, "items[0]: publish item object does not contain 'channel'"],
    [{ items: ['x'] }, 'items[0]: publish item object is not an object but a string'],
    [
      { items: [item('1'), { channel: 'a' }] },
      "items[1]: no formats specified: expected http-response, http-stream, ws-message, http-request or xmpp-stanza in 'formats'",
    ],
  ] as const) {
    t.same(await ask({ id: '4', method: 'publish', args }), refused(`Invalid format: ${text}`));
  }
  t.same(listener.labels, []);
  t.same(events.seen, Array(6).fill('rejected ERR_GRIP_ITEM'));
});

t.test('publish: a backplane that does not accept is a condition too', async (t) => {
  const { ask, backplane } = await setUp(t);
  await backplane.close();
  t.same(await ask({ id: '4', method: 'publish', args: { items: [item('1')] } }), {
    id: '4',
    success: false,
    condition: 'unavailable',
    value: 'Backplane unavailable.',
  });
});

t.test('publish: a backplane that accepts a part is asked for the rest by name', async (t) => {
  const { ask, backplane, events } = await setUp(t);
  const refusal = new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'Redis refused a message.');
  backplane.publish = () => Promise.reject(new PartlyAccepted(refusal, [undefined, { duplicate: false }, undefined]));
  const items = [item('1'), item('2'), item('3')];
  t.same(await ask({ id: '4', method: 'publish', args: { items } }), {
    id: '4',
    success: false,
    condition: 'unavailable',
    value: 'Backplane unavailable: 1 of 3 items accepted, but not items[0], items[2].',
  });
  t.same(events.seen, ['published 1', 'rejected ERR_BACKPLANE_UNAVAILABLE']);
});

t.test('conncheck: those of the ids that are connected', async (t) => {
  const connected = async (ids: readonly string[]) => ids.filter((id) => id !== 'gone');
  const { ask } = await setUp(t, { connected, refresh: () => false });
  const check = (ids: unknown) => ask({ id: '5', method: 'conncheck', args: { ids } });
  t.same(await check(['x', 'gone', 'y']), { id: '5', success: true, value: ['x', 'y'] });
  t.same(await check([]), { id: '5', success: true, value: [] });
  for (const ids of [undefined, 'x', [5]]) {
    t.same(await check(ids), { id: '5', success: false, condition: 'bad-request' });
  }
});

t.test('conncheck: a failure to find out is proxy-request-failed', async (t) => {
  const { ask, log } = await setUp(t, {
    connected: () => Promise.reject(new Error('worker gone')),
    refresh: () => false,
  });
  t.same(await ask({ method: 'conncheck', args: { ids: ['x'] } }), {
    success: false,
    condition: 'proxy-request-failed',
  });
  t.equal(log.at('error').length, 1);
});

t.test('refresh: of a connection, or item-not-found; of a channel, with or without subscribers', async (t) => {
  const asked: unknown[] = [];
  const refresh: Connections['refresh'] = (whom) => {
    asked.push(whom);
    return 'connection' in whom && whom.connection === 'there';
  };
  const { ask } = await setUp(t, { connected: () => [], refresh });
  const call = (args: unknown) => ask({ id: '6', method: 'refresh', args });
  t.same(await call({ cid: 'there' }), { id: '6', success: true, value: null });
  t.same(await call({ cid: 'gone' }), { id: '6', success: false, condition: 'item-not-found' });
  t.same(await call({ channel: 'nobody' }), { id: '6', success: true, value: null });
  t.same(asked, [{ connection: 'there' }, { connection: 'gone' }, { channel: 'nobody' }]);
  for (const args of [undefined, {}, { cid: 5 }, { channel: 5 }]) {
    t.same(await call(args), { id: '6', success: false, condition: 'bad-request' });
  }
});

t.test('refresh: a fault of the node is a condition, and logged', async (t) => {
  const { ask, log } = await setUp(t, {
    connected: () => [],
    refresh: () => {
      throw new Error('broken');
    },
  });
  t.same(await ask({ method: 'refresh', args: { cid: 'x' } }), { success: false, condition: 'internal-error' });
  t.match(log.at('error'), [{ message: 'ZeroMQ command failed', fields: { method: 'refresh' } }]);
});

t.test('get-zmq-uris: where this node is reached, with the ports that the system chose', async (t) => {
  const { ask, uri } = await setUp(t);
  const value = {
    command: uri('commands'),
    'publish-pull': uri('publish items'),
    'publish-sub': uri('published items'),
  };
  t.same(await ask({ id: '7', method: 'get-zmq-uris' }), { id: '7', success: true, value });
});

t.test('get-zmq-uris: what is off is left out, as is a SUB socket that connects', async (t) => {
  const { uri } = await openSockets(t, {
    commandSpec: ANY,
    pushInSubSpecs: ['tcp://127.0.0.1:1'],
    pushInSubConnect: true,
  });
  const socket = req(t, uri('commands'));
  await socket.send(encodeTnetstring({ method: 'get-zmq-uris' }));
  const [reply] = await socket.receive();
  t.same(texts(decodeTnetstring(reply as Buffer)), { success: true, value: { command: uri('commands') } });
});

t.test('recover goes to all nodes', async (t) => {
  const { ask, listener } = await setUp(t);
  t.same(await ask({ id: '8', method: 'recover' }), { id: '8', success: true, value: null });
  t.same(listener.labels, ['recover']);
});

t.test('other methods: method-not-found', async (t) => {
  const { ask } = await setUp(t);
  t.same(await ask({ id: '9', method: 'toString' }), { id: '9', success: false, condition: 'method-not-found' });
});

t.test('the id is optional, and an empty one is none', async (t) => {
  const { ask } = await setUp(t);
  t.same(await ask({ id: '', method: 'nope' }), { success: false, condition: 'method-not-found' });
});

t.test('what is no request gets no answer and a warning, and the next one is answered', async (t) => {
  const { log, uri } = await setUp(t);
  const dealer = client(t, () => new zeromq.Dealer({ linger: 0 }), uri('commands'));
  const call = { id: '1', method: 'nope' };
  for (const bad of [
    Buffer.from('garbage'),
    encodePacket(call, 'tnetstring'),
    encodePacket(call, 'json'),
    encodeTnetstring('x'),
    encodeTnetstring([]),
    encodeTnetstring({ id: '1' }),
    encodeTnetstring({ id: 7, method: 'nope' }),
    encodeTnetstring({ method: 5 }),
    encodeTnetstring({ method: 'nope', args: 'x' }),
    encodeTnetstring({ method: 'nope', args: [] }),
  ])
    await dealer.send(['', bad]);
  await dealer.send(encodeTnetstring(call));
  await dealer.send(['', encodeTnetstring(call), 'more']);
  await dealer.send(['', encodeTnetstring({ ...call, id: 'last' })]);
  const [empty, reply] = await dealer.receive();
  t.equal(empty?.length, 0);
  t.match(texts(decodeTnetstring(reply as Buffer)), { id: 'last' });
  t.equal(log.at('warn').length, 12);
});

t.test('a slow call does not hold up the others, and envelopes of devices in between are kept', async (t) => {
  let release = () => {};
  const wait = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { uri } = await setUp(t, {
    connected: async (ids) => {
      await wait;
      return ids;
    },
    refresh: () => false,
  });
  const dealer = client(t, () => new zeromq.Dealer({ linger: 0 }), uri('commands'));
  const send = (hop: string, request: object) => dealer.send([hop, '', encodeTnetstring(request)]);
  await send('one', { id: 'slow', method: 'conncheck', args: { ids: ['x'] } });
  await send('two', { id: 'fast', method: 'nope' });
  const receive = async () => {
    const [hop, empty, reply] = await dealer.receive();
    return [String(hop), empty?.length, (texts(decodeTnetstring(reply as Buffer)) as { id: string }).id];
  };
  t.same(await receive(), ['two', 0, 'fast']);
  release();
  t.same(await receive(), ['one', 0, 'slow']);
});

t.test('a client that has gone is no harm to a reply under way, nor is the end of the node', async (t) => {
  let release = () => {};
  const wait = new Promise<void>((resolve) => {
    release = resolve;
  });
  const asked: string[] = [];
  const { sockets, uri, log } = await setUp(t, {
    connected: async (ids) => {
      asked.push(...ids);
      await wait;
      return ids;
    },
    refresh: () => false,
  });
  const dealer = client(t, () => new zeromq.Dealer({ linger: 0 }), uri('commands'));
  await dealer.send(['', encodeTnetstring({ method: 'conncheck', args: { ids: ['x'] } })]);
  await until('the call', () => asked.length === 1);
  dealer.close();
  sockets.close();
  release();
  await new Promise((resolve) => setImmediate(resolve));
  t.same(log.at('error'), []);
});
