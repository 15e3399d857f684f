/** How WebSockets end, on both edges and with both kinds of origin: by a Close of either end, and by a fault of the client. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { WebSocketServer } from 'ws';
import { connectTo } from '../../kit/clients/raw-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startEcho, startEchoFixture } from '../../kit/echo-fixture.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { type Kind, kinds } from '../../kit/origins/echo-origin.js';
import { until } from '../../kit/until.js';

/** Codes that an end may send. */
const CODES = [1000, 1001, 1003, 1008, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];

/** The library of the uws edge takes these of a client for a fault, and tells nothing of them. */
const isLostByUws = (code: number) => (code > 1011 && code < 1015) || (code >= 3000 && code < 4000);

const frame = (opcode: number, text: string) => {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]).toString('latin1');
};

/** The answer, unmasked, and a Close with 1002. */
const ECHO_AND_CLOSE = Buffer.concat([
  Buffer.from([0x81, 9]),
  Buffer.from('fragments'),
  Buffer.from([0x88, 2, 3, 0xea]),
]).toString('latin1');

for (const edge of ['node', 'uws']) {
  for (const kind of Object.keys(kinds) as Kind[]) {
    t.test(`edge ${edge}, ${kind} origin`, async (t) => {
      const { origin, holdfast } = await startEchoFixture(t, kind, { settings: { edge } });
      const open = () => openWs(t, wsUrl(holdfast.clients));

      t.test('codes of the client reach the origin, and come back', async (t) => {
        for (const code of CODES) {
          const lost = edge === 'uws' && isLostByUws(code);
          const line = lost ? 'close 1005' : `close ${code} why`;
          const before = origin.seen.filter((other) => other === line).length;
          const client = await open();
          t.equal((await client.close(code, 'why')).code, lost ? 1005 : code);
          await origin.saw(line, before + 1);
        }
      });

      t.test('codes of the origin reach the client', async (t) => {
        for (const code of CODES) {
          const client = await open();
          client.send(`!close ${code} why`);
          t.strictSame(await client.end(), { code, reason: 'why' });
        }
      });

      t.test('what is asked before a close reaches the origin, and is answered where the edge can wait', async (t) => {
        const client = await open();
        client.send('question');
        client.send('!bytes 300000');
        t.equal((await client.close(4001, 'bye')).code, 4001);
        await origin.saw('text 8');
        await origin.saw('close 4001 bye');
        if (edge === 'node') {
          t.equal(await client.text(), 'question');
          t.equal((await client.next()).data.length, 300_000);
        }
      });

      t.test(
        'a fault of the client: what came before is answered, then the code goes out; the origin hears',
        async (t) => {
          const wire = await connectTo(t, holdfast.clients);
          wire.send(
            'GET / HTTP/1.1',
            'Host: a',
            'Upgrade: websocket',
            'Connection: Upgrade',
            'Sec-WebSocket-Version: 13',
          );
          wire.send('Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==', '');
          await wire.until('\r\n\r\n');
          wire.socket.write(frame(1, 'fragments') + frame(3, 'reserved'), 'latin1');
          await wire.closed();
          if (edge === 'node') {
            t.equal(wire.text.slice(wire.text.indexOf('\r\n\r\n') + 4), ECHO_AND_CLOSE);
            await origin.saw('text 9');
            await origin.saw('close 1002');
          } else await until('the end at the origin', () => origin.seen.includes('gone'));
        },
      );
    });
  }
}

/** How long a side has to answer a Close. */
const CLOSE_TIMEOUT_MS = 4_500;

t.test('other targets', async (t) => {
  const [direct, overHttp] = [await startEcho(t, 'direct'), await startEcho(t, 'over-http')];
  const holdfast = await startHoldfast(t, {
    routes: [
      '* test',
      `*,path_beg=/s,sockjs=/s ${direct.target}`,
      `*,path_beg=/over-http ${overHttp.target}${kinds['over-http']}`,
    ],
  });

  t.test('the built-in target answers what came before a close', async (t) => {
    const client = await openWs(t, wsUrl(holdfast.clients, '/ws'));
    client.send('question');
    t.strictSame(await client.close(4001, 'bye'), { code: 4001, reason: 'bye' });
    t.equal(await client.text(), 'question');
  });

  t.test(
    'SockJS over a WebSocket: what came before a close is answered, and no close frame follows the client’s',
    async (t) => {
      const client = await openWs(t, wsUrl(holdfast.clients, '/s/000/a/websocket'));
      client.send('["question"]');
      t.strictSame(await client.close(4001, 'bye'), { code: 4001, reason: 'bye' });
      t.equal(await client.text(), 'o');
      t.equal(await client.text(), 'a["question"]');
      t.equal(client.untaken, 0);
    },
  );

  t.test('an origin that does not answer a close: the proxy does, after 5 s', async (t) => {
    const client = await openWs(t, wsUrl(holdfast.clients, '/over-http'));
    client.send('!hang');
    await delay(200);
    const since = performance.now();
    t.strictSame(await client.close(4001, 'bye'), { code: 4001, reason: 'bye' });
    const waited = performance.now() - since;
    t.ok(waited > CLOSE_TIMEOUT_MS && waited < 25_000, `${waited} ms`);
  });
});

for (const edge of ['node', 'uws']) {
  t.test(`a fault of the origin: the client hears of it at once, edge ${edge}`, async (t) => {
    const origin = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    t.teardown(() => origin.close());
    await once(origin, 'listening');
    const codes: (number | undefined)[] = [];
    origin.on('connection', (socket, { socket: connection }) => {
      // It answers neither the Close nor the FIN behind it.
      socket.close = (code) => void codes.push(code);
      connection.removeAllListeners('end');
      t.teardown(() => socket.terminate());
      socket.send('before');
      connection.write(Buffer.from([0x83, 0]));
    });
    const { port } = origin.address() as AddressInfo;
    const holdfast = await startHoldfast(t, { routes: [`* 127.0.0.1:${port}`], settings: { edge } });
    const client = await openWs(t, wsUrl(holdfast.clients));
    t.equal(await client.text(), 'before');
    const since = performance.now();
    t.equal((await client.end()).code, 1006);
    t.ok(performance.now() - since < CLOSE_TIMEOUT_MS, 'before the origin’s answer is given up');
    await until('the code of the fault', () => codes.length > 0);
    t.strictSame(codes, [1002]);
  });
}
