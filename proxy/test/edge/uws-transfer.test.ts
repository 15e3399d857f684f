import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Listener, StreamPiece } from '../../dist/edge/port.js';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import type { UwsEdge } from '../../dist/edge/uws/edge.js';
import { realClock } from '../../dist/runtime/clock.js';
import { head, RawClient } from '../kit/clients/raw-client.js';
import { settled, until } from '../kit/until.js';
import { CertificateFiles } from './certificate-files.js';
import { ScriptedHandler } from './scripted-handler.js';
import { uwsEdge } from './uws-edge-maker.js';

// The library cuts what makes no progress after 8 to 12 s. These tests are longer than that, and run side by side.
t.jobs = 16;
t.setTimeout(60_000);

/** Longer than the library's patience. */
const LONG_MS = 13_000;

const limits = {
  clientBufferSize: 16_384,
  clientMaxconn: 100,
  clientKeepAliveTimeout: 0,
  clientHeaderTimeout: 0,
  clientHalfCloseGrace: 0,
};

type Way = 'TCP' | 'TLS';

const NAME = 'a.example';

/** An edge on the machine's clock. */
async function serve(t: Test, way: Way | Listener) {
  const handler = new ScriptedHandler();
  const files = way === 'TLS' ? new CertificateFiles(t.testdir()) : undefined;
  files?.issue(NAME, NAME, [`DNS:${NAME}`]);
  const certificates = new TlsCertificates(files?.directory ?? '/nonexistent', () => {});
  const edge: UwsEdge = uwsEdge({ handler, limits, clock: realClock as never, refused: [] }, { certificates });
  t.teardown(() => edge.close());
  const listener = typeof way === 'object' ? way : { host: '127.0.0.1', port: 0, tls: way === 'TLS' };
  const { path, port = 0 } = await edge.listen(listener);
  const tls = files && { tls: { ca: files.authority, servername: NAME } };
  const connect = () => RawClient.to(t, path === undefined ? { port, ...tls } : { path });
  const send = async (bytes: string) => {
    const client = await connect();
    void client.write(bytes);
    return { client, taken: await handler.next() };
  };
  return { edge, handler, connect, send };
}

for (const way of ['TCP', 'TLS'] as const) {
  for (const when of ['while it waits', 'in the silence after it']) {
    t.test(
      `${way}: a stream whose client did not read for a while is not cut ${when}`,
      { timeout: 60_000 },
      async (t) => {
        const { send } = await serve(t, way);
        const { client, taken } = await send(head('GET', '/'));
        client.pause();
        taken.start();
        const block = Buffer.alloc(2 ** 20, 'x');
        let pushed = 0;
        for (; (await settled(() => taken.response.waiting)) < 2 ** 20; pushed++)
          taken.response.push(new StreamPiece(block));
        if (when === 'while it waits') await delay(LONG_MS);
        t.equal(taken.gones, 0);
        client.resume();
        await until(() => taken.response.waiting === 0);
        if (when !== 'while it waits') await delay(LONG_MS);
        t.equal(taken.gones, 0);
        taken.response.push(new StreamPiece(Buffer.from('later')));
        taken.response.end();
        const answer = await client.answer();
        t.strictSame([answer.body.length, answer.whole], [pushed * block.length + 5, true]);
      },
    );
  }

  for (const how of ['of known length', 'chunked'] as const) {
    t.test(
      `${way}: answers ${how} that end while their client does not read arrive whole`,
      { timeout: 60_000 },
      async (t) => {
        const { send } = await serve(t, way);
        const answered = async (size: number) => {
          const { client, taken } = await send(head('GET', '/'));
          client.pause();
          taken.start(how === 'chunked' ? undefined : size);
          taken.response.write(Buffer.alloc(size, 'x'));
          taken.response.end();
          return { client, taken, size };
        };
        const probe = await answered(32 * 2 ** 20);
        // What the sockets take: answers of about this length end with their last bytes here, in the library, or on the wire.
        const room = probe.size - (await settled(() => probe.taken.response.waiting));
        const sizes = Array.from({ length: 16 }, (_, i) => room + (i - 8) * 4_000);
        const answers = [probe];
        // One after the other: connections that are made side by side are not served in the order of their making.
        for (const size of sizes) answers.push(await answered(size));
        await delay(LONG_MS);
        for (const { client, size } of answers) {
          client.resume();
          const answer = await client.answer();
          t.strictSame([answer.body.length, answer.whole], [size, true]);
        }
      },
    );
  }

  t.test(`${way}: a slow upload is not cut`, { timeout: 60_000 }, async (t) => {
    const { send } = await serve(t, way);
    const { client, taken } = await send(head('POST', '/', ['Content-Length: 14']));
    const body = taken.read();
    for (let i = 0; i < 14; i++) {
      await delay(LONG_MS / 14);
      await client.write(String.fromCharCode(97 + i));
    }
    const { bytes, end } = await body;
    t.strictSame([bytes.toString(), end], ['abcdefghijklmn', 'end']);
    taken.answer('thanks');
    t.equal((await client.answer()).body.toString(), 'thanks');
  });

  t.test(`${way}: an upload that is held back for long goes on`, { timeout: 60_000 }, async (t) => {
    const { send } = await serve(t, way);
    const size = 16 * 2 ** 20;
    const { client, taken } = await send(head('POST', '/', [`Content-Length: ${size}`]));
    const body = taken.read();
    taken.request.body?.pause();
    void client.write(Buffer.alloc(size, 'x'));
    await delay(LONG_MS);
    t.ok(client.socket.writableLength > 0, 'it is held back');
    taken.request.body?.resume();
    const { bytes, end } = await body;
    t.strictSame([bytes.length, end], [size, 'end']);
    taken.answer('thanks');
    t.equal((await client.answer()).status, 200);
  });

  t.test(`${way}: a client that goes while its upload is held back is noticed`, { timeout: 60_000 }, async (t) => {
    const { send } = await serve(t, way);
    const { client, taken } = await send(head('POST', '/', ['Content-Length: 1000000']));
    const body = taken.read();
    taken.request.body?.pause();
    await client.write(Buffer.alloc(200_000, 'x'));
    await delay(200);
    client.reset();
    t.equal((await body).end, 'abort');
    await until(() => taken.gones === 1);
  });

  t.test(
    `${way}: a request whose answer takes long, and a stream that is silent, are not cut`,
    { timeout: 60_000 },
    async (t) => {
      const { send } = await serve(t, way);
      const asked = await send(head('GET', '/'));
      const silent = await send(head('GET', '/'));
      silent.taken.start();
      silent.taken.response.push(new StreamPiece(Buffer.from('first')));
      await delay(LONG_MS);
      asked.taken.answer('at last');
      silent.taken.response.end(Buffer.from('last'));
      t.equal((await asked.client.answer()).body.toString(), 'at last');
      t.equal((await silent.client.answer()).body.toString(), 'firstlast');
    },
  );
}

for (const size of [16_000, 17_000, 20_000, 32_768, 65_536]) {
  t.test(`pieces of ${size} bytes reach a slow reader on a unix socket unharmed`, { timeout: 60_000 }, async (t) => {
    const path = join(tmpdir(), `uws-${process.pid}-${size}.sock`);
    t.teardown(() => rmSync(path, { force: true }));
    const { send } = await serve(t, { path });
    const { client, taken } = await send(head('GET', '/'));
    client.pause();
    taken.start();
    const wanted: Buffer[] = [];
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.alloc(size, 97 + (i % 26));
      wanted.push(bytes);
      taken.response.push(new StreamPiece(bytes));
      if (i % 7 === 0) await new Promise(setImmediate);
      if (i % 20 === 19) client.resume();
      else if (i % 20 === 5) client.pause();
    }
    client.resume();
    taken.response.end();
    const answer = await client.answer();
    t.ok(answer.body.equals(Buffer.concat(wanted)));
    t.ok(answer.whole);
  });
}

for (const way of ['TCP', 'TLS', 'unix socket'] as const) {
  for (const closes of [false, true]) {
    t.test(
      `${way}: a body of known length reaches a client that reads by fits and starts${closes ? ', which is closed then' : ''}`,
      async (t) => {
        const path = join(tmpdir(), `uws-${process.pid}-${closes}-length.sock`);
        t.teardown(() => rmSync(path, { force: true }));
        const { send, handler } = await serve(t, way === 'unix socket' ? { path } : way);
        // Of every length about the limits of what is handed over at once, and in an order that repeats late.
        const sizes = Array.from(
          { length: 90 },
          (_, i) => [1, 15_999, 16_001, 20_000, 65_536, 140_000][(i * i) % 6] ?? 7,
        );
        const pieces = sizes.map((size, i) => Buffer.alloc(size, 97 + (i % 26)));
        const wanted = Buffer.concat(pieces);
        const { client, taken } = await send(head('GET', '/', closes ? ['Connection: close'] : []));
        client.pause();
        taken.start(wanted.length);
        for (const [i, piece] of pieces.entries()) {
          taken.response.write(piece);
          if (i % 5 === 0) await new Promise(setImmediate);
          if (i % 30 === 29) client.resume();
          else if (i % 30 === 15) client.pause();
        }
        taken.response.end();
        client.resume();
        const answer = await client.answer();
        t.ok(answer.body.equals(wanted), 'every byte, in order');
        t.equal(answer.whole, true);
        if (closes) {
          await client.closed();
          return;
        }
        void client.write(head('GET', '/next'));
        (await handler.next()).answer('next');
        t.equal((await client.answer()).body.toString(), 'next');
      },
    );
  }
}
