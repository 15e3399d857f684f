/** Clauses of the `Edge` contract: limits on connections and heads, and going down. */
import { connect } from 'node:net';
import { head } from '../../kit/clients/raw-client.js';
import { settled, until } from '../../kit/until.js';
import type { Clause } from '../clause.js';

/** Connects; resolves with the code of the error that this ends with. */
function whyRefused(port: number): Promise<string | undefined> {
  const refused = connect(port, '127.0.0.1');
  return new Promise((resolve) => refused.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code)));
}

const limitClauses: readonly Clause[] = [
  {
    name: 'connection-limit',
    says: 'a connection over the limit is closed, the others go on; a place that is freed can be had',
    limits: { clientMaxconn: 2 },
    run: async (t, fixture) => {
      const first = await fixture.connect();
      const second = await fixture.connect();
      await until(() => fixture.edge.connections === 2);
      const third = await fixture.connect();
      await third.closed();
      t.strictSame(fixture.refused, ['connection']);
      first.reset();
      await until(() => fixture.edge.connections === 1);
      const fourth = await fixture.connect();
      for (const client of [second, fourth]) {
        void client.write(head('GET', '/'));
        (await fixture.next()).answer('served');
        t.equal((await client.answer()).body.toString(), 'served');
      }
    },
  },
  {
    name: 'descriptor-reserve',
    says: 'a connection that would touch the last file descriptors is closed, the others go on; later there may be room again',
    limits: { files: 1_000 },
    run: async (t, fixture) => {
      const { limit, reserve } = fixture.descriptors;
      fixture.openFiles = limit - reserve;
      const first = await fixture.connect();
      await until(() => fixture.edge.connections === 1);
      fixture.openFiles++;
      for (let i = 1; i <= 3; i++) {
        const refused = await fixture.connect();
        await refused.closed();
        t.equal(refused.receivedBytes, 0);
        t.strictSame(fixture.refused, Array(i).fill('descriptors'));
      }
      fixture.openFiles--;
      const second = await fixture.connect();
      for (const client of [first, second]) {
        void client.write(head('GET', '/'));
        (await fixture.next()).answer('served');
        t.equal((await client.answer()).body.toString(), 'served');
      }
    },
  },
  {
    name: 'header-limit',
    says: 'a head up to the limit is served, a longer one answered 431',
    limits: { clientBufferSize: 8_192 },
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/', [`X-Long: ${'x'.repeat(8_000)}`]));
      taken.answer('');
      t.equal((await client.answer()).status, 200);
      for (const long of [
        head('GET', '/', [`X-Long: ${'x'.repeat(8_192)}`]),
        head(
          'GET',
          '/',
          Array.from({ length: 2_000 }, (_, i) => `X-${i}: 1`),
        ),
        head('GET', `/${'p'.repeat(8_192)}`),
      ]) {
        const refused = await fixture.connect();
        void refused.write(long);
        t.equal((await refused.answer()).status, 431);
        await refused.closed();
      }
      t.equal(fixture.handler.count, 1);
    },
  },
  {
    name: 'header-limit-text',
    says: 'the answer to a head that is too long names the limit',
    limits: { clientBufferSize: 8_192 },
    run: async (t, fixture) => {
      const client = await fixture.connect();
      void client.write(head('GET', '/', [`X-Long: ${'x'.repeat(9_000)}`]));
      const { reason, body } = await client.answer();
      t.equal(reason, 'Request Header Fields Too Large');
      t.equal(body.toString(), 'Request header size exceeded limit of 8192 bytes.\n');
    },
  },
  {
    name: 'header-count',
    says: 'no header is lost for being one of many',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(
        head(
          'GET',
          '/',
          Array.from({ length: 1_200 }, (_, i) => `X: ${i}`),
        ),
      );
      t.equal(taken.request.headers.length, 2 * 1_201);
      taken.answer('');
    },
  },
  {
    name: 'header-timeout',
    says: 'a head that is not complete in time is answered 408',
    limits: { clientHeaderTimeout: 100 },
    run: async (t, fixture) => {
      const client = await fixture.connect();
      void client.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
      const answer = await client.answer();
      t.strictSame([answer.status, answer.body.toString()], [408, 'Request timed out.\n']);
      t.equal(await client.closed(), 'fin');
      t.equal(fixture.handler.count, 0);
    },
  },
  {
    name: 'header-timeout-silent',
    says: 'a client that sends nothing is closed when the time for its head is over',
    limits: { clientHeaderTimeout: 100 },
    run: async (_t, fixture) => {
      const client = await fixture.connect();
      await client.closed();
    },
  },
  {
    name: 'header-timeout-body',
    says: 'the time limit of the head does not apply to body and answer',
    limits: { clientHeaderTimeout: 100 },
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(`${head('POST', '/', ['Content-Length: 2'])}a`);
      const slow = await fixture.connect();
      void slow.write('GET');
      // A head that began after this request has run into the limit: so this one had the time to, too.
      t.equal((await slow.answer()).status, 408);
      const body = taken.read();
      void client.write('b');
      t.equal((await body).bytes.toString(), 'ab');
      taken.answer('served');
      t.equal((await client.answer()).status, 200);
    },
  },
  {
    name: 'keep-alive-timeout',
    says: 'a connection that is idle between requests for too long is closed',
    limits: { clientKeepAliveTimeout: 100 },
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.answer('done');
      await client.answer();
      await client.closed();
      t.equal(taken.gones, 0);
    },
  },
];

const stopClauses: readonly Clause[] = [
  {
    name: 'stop-listening',
    says: 'after stopListening nobody can connect, and open connections go on as before, also the idle and the silent',
    run: async (t, fixture) => {
      const silent = await fixture.connect();
      const idle = await fixture.send(head('GET', '/idle'));
      idle.taken.answer('');
      await idle.client.answer();
      await until(() => fixture.edge.connections === 2);
      fixture.edge.stopListening();
      t.equal(await whyRefused(fixture.port), 'ECONNREFUSED');
      for (const client of [silent, idle.client]) {
        for (const path of ['/first', '/second']) {
          void client.write(head('GET', path));
          (await fixture.next()).answer('served');
          const answer = await client.answer();
          t.equal(answer.body.toString(), 'served');
          t.not(answer.header('connection'), 'close');
        }
      }
      fixture.edge.stopAccepting();
      t.equal(await whyRefused(fixture.port), 'ECONNREFUSED');
    },
  },
  {
    name: 'stop-accepting',
    says: 'after stopAccepting nobody can connect, idle connections close, answers under way go on to their end',
    run: async (t, fixture) => {
      const idle = await fixture.send(head('GET', '/idle'));
      idle.taken.answer('');
      await idle.client.answer();
      const asked = await fixture.send(head('GET', '/asked'));
      const streaming = await fixture.send(head('GET', '/streaming'));
      streaming.taken.start();
      streaming.taken.response.write(Buffer.from('begun;'));
      await streaming.client.receives('begun;');
      fixture.edge.stopAccepting();
      await idle.client.closed();
      t.equal(await whyRefused(fixture.port), 'ECONNREFUSED');
      t.equal(await settled(() => fixture.edge.connections), 2);
      asked.taken.answer('whole');
      streaming.taken.response.write(Buffer.from('to the end'));
      streaming.taken.response.end();
      t.equal((await asked.client.answer()).body.toString(), 'whole');
      t.equal((await streaming.client.answer()).body.toString(), 'begun;to the end');
    },
  },
  {
    name: 'stop-closes',
    says: 'a connection whose answer is complete closes after stopAccepting, and one not yet begun says so',
    run: async (t, fixture) => {
      const asked = await fixture.send(head('GET', '/asked'));
      const streaming = await fixture.send(head('GET', '/streaming'));
      streaming.taken.start();
      streaming.taken.response.write(Buffer.from('begun;'));
      await streaming.client.receives('begun;');
      fixture.edge.stopAccepting();
      asked.taken.answer('whole');
      streaming.taken.response.end();
      t.equal((await asked.client.answer()).header('connection'), 'close');
      t.equal((await streaming.client.answer()).whole, true);
      t.strictSame([await asked.client.closed(), await streaming.client.closed()], ['fin', 'fin']);
      await until(() => fixture.edge.connections === 0);
    },
  },
  {
    name: 'close',
    says: 'close cuts every connection, whatever it is doing',
    run: async (t, fixture) => {
      const silent = await fixture.connect();
      const { client, taken } = await fixture.send(head('GET', '/'));
      const held = await fixture.send(head('GET', '/held'));
      held.taken.start(undefined, true);
      await fixture.edge.close();
      await Promise.all([silent.closed(), client.closed(), held.client.closed()]);
      t.strictSame([taken.gones, held.taken.gones, fixture.edge.connections], [1, 1, 0]);
    },
  },
];

/** Limits and going down. */
export const connectionClauses: readonly Clause[] = [...limitClauses, ...stopClauses];
