/** How long connections to origins are used, where names lead, and what becomes of a request whose connection closes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { send } from '../../dist/origin/send.js';
import { makeCertificate } from '../kit/certificates.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { settled, until } from '../kit/until.js';
import { ask, makeClient, target } from './client-fixture.js';
import { RecordingHandler } from './recording-handler.js';

/** A server that answers with its name. */
async function named(t: Test, name: string, host: string, port = 0): Promise<number> {
  const server: Server = createServer((_, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Looks every name up as `addresses` says. */
function lookupOf(addresses: () => readonly { address: string; family: number }[]) {
  const asked: string[] = [];
  const lookup: LookupFunction = (name, options, callback) => {
    asked.push(name);
    const found = addresses();
    if (options.all) callback(null, [...found] as never);
    else callback(null, found[0]?.address ?? '', found[0]?.family);
  };
  return { lookup, asked };
}

t.test('a connection that has reached its age takes no further request: the name is looked up again', async (t) => {
  const port = await named(t, 'one', '127.0.0.1');
  await named(t, 'two', '127.0.0.2', port);
  let address = '127.0.0.1';
  const { lookup, asked } = lookupOf(() => [{ address, family: 4 }]);
  const to = target(port, { host: 'origin.example' });
  const get = async (client: ReturnType<typeof makeClient>) => {
    const { recorder } = ask(client, to);
    t.equal(await recorder.ended(), 'end');
    await turn();
    return recorder.body;
  };
  const lasting = makeClient(t, { lookup, originConnectionMaxAge: 60_000 });
  const client = makeClient(t, { lookup, originConnectionMaxAge: 200 });
  t.equal(await get(lasting), 'one');
  t.equal(await get(client), 'one');
  address = '127.0.0.2';
  t.equal(await get(lasting), 'one', 'one that is young goes on');
  const since = performance.now();
  await until('the other origin', async () => (await get(client)) === 'two');
  t.ok(performance.now() - since < 10_000);
  t.equal(asked.filter((name) => name === 'origin.example').length, asked.length);
  t.equal(await get(lasting), 'one');
});

t.test('all addresses of a name are tried, of both families', async (t) => {
  const port = await named(t, 'here', '127.0.0.1');
  for (const dead of [
    { address: '::1', family: 6 },
    { address: '127.0.0.3', family: 4 },
  ]) {
    const here = { address: '127.0.0.1', family: 4 };
    for (const addresses of [
      [dead, here],
      [here, dead],
    ]) {
      const { lookup } = lookupOf(() => addresses);
      const { recorder } = ask(makeClient(t, { lookup }), target(port, { host: 'origin.example' }));
      t.equal(await recorder.ended(), 'end', addresses.map(({ address }) => address).join(' '));
      t.equal(recorder.body, 'here');
    }
  }
});

t.test('an idle connection is closed in time, or before the origin would, if that says when', async (t) => {
  for (const [fields, is] of [
    [[], 'closed'],
    [['Keep-Alive: timeout=60'], 'kept'],
    [['Keep-Alive: timeout=1'], 'closed'],
  ] as const) {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('', fields)));
    t.equal(await ask(makeClient(t, { originKeepAliveTimeout: 100 }), target(origin.port)).recorder.ended(), 'end');
    if (is === 'closed') await until('the end of the connection', () => origin.sockets.size === 0);
    else {
      await settled(() => origin.sockets.size);
      t.equal(origin.sockets.size, 1);
    }
  }
});

function certificate(t: Test): { cert: string; key: string } {
  const { cert, key } = makeCertificate({ directory: t.testdir({}), base: 'origin', names: ['DNS:test.example'] });
  return { cert, key };
}

for (const tls of [false, true]) {
  const open = (t: Test, answer: Parameters<typeof RawOrigin.open>[1]) =>
    RawOrigin.open(t, answer, tls ? certificate(t) : undefined);
  const to = ({ port }: RawOrigin) => target(port, tls ? { ssl: true, insecure: true } : {});
  const how = tls ? 'over TLS' : 'in the clear';

  t.test(`a POST ${how} on a connection that is closed at that moment, unsent, goes on a new one`, async (t) => {
    for (const body of [null, Buffer.from('body'), () => Readable.from([Buffer.from('body')])]) {
      const origin = await open(t, ({ socket }) => socket.write(answerBytes('')));
      const client = makeClient(t);
      t.equal(await ask(client, to(origin)).recorder.ended(), 'end');
      await turn();
      // Nobody has noticed it when the request is made, in this same turn.
      for (const socket of origin.sockets) socket.destroy();
      const sent = typeof body === 'function' ? body() : body;
      t.equal(await ask(client, to(origin), { method: 'POST', body: sent }).recorder.ended(), 'end');
      t.strictSame(
        origin.requests.map(({ connection }) => connection),
        [1, 2],
      );
    }
  });

  t.test(`a POST ${how} on a connection that is closed when it is sent may have arrived`, async (t) => {
    for (const body of [null, Buffer.from('body'), Readable.from([Buffer.from('body')])]) {
      let answered = false;
      const origin = await open(t, ({ socket }) => {
        if (answered) socket.end();
        else socket.write(answerBytes(''));
        answered = true;
      });
      const client = makeClient(t);
      t.equal(await ask(client, to(origin)).recorder.ended(), 'end');
      await turn();
      const { recorder } = ask(client, to(origin), { method: 'POST', body });
      t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CLOSED', repeat: 'stale' });
      t.equal(origin.requests.length, 2);
    }
  });
}

t.test('after one stale connection those that have been idle for longer are not tried', async (t) => {
  const seen = new Set<number>();
  const waiting: (() => void)[] = [];
  // All first connections hang up on their second request.
  const origin = await RawOrigin.open(t, ({ socket, connection }) => {
    if (seen.has(connection) && connection <= 5) socket.destroy();
    else if (connection <= 5) waiting.push(() => socket.write(answerBytes('alive')));
    else socket.write(answerBytes('alive'));
    seen.add(connection);
  });
  const client = makeClient(t);
  const first = Array.from({ length: 5 }, () => ask(client, target(origin.port)).recorder);
  await until('five requests', () => waiting.length === 5);
  for (const answer of waiting) answer();
  for (const recorder of first) t.equal(await recorder.ended(), 'end');
  await turn();
  const recorder = new RecordingHandler();
  send(
    [target(origin.port)],
    {
      repeatable: true,
      replayable: true,
      dispatch: (to, handler) =>
        client
          .origin(to as ReturnType<typeof target>, 'x')
          .dispatch({ method: 'GET', path: '/', headers: ['Host', 'x'], body: null }, handler),
    },
    recorder,
  );
  t.equal(await recorder.ended(), 'end');
  t.equal(origin.requests.length, 7);
  t.equal(origin.requests.at(-1)?.connection, 6);
});
