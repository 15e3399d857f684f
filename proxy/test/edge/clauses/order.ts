/** Clauses of the `Edge` contract: several requests on one connection. */
import { head } from '../../kit/clients/raw-client.js';
import { settled } from '../../kit/until.js';
import type { Clause } from '../clause.js';

/** Requests of one connection. */
export const orderClauses: readonly Clause[] = [
  {
    name: 'keep-alive',
    says: 'a connection is used again, without a word of it in the answers',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      for (const path of ['/1', '/2', '/3']) {
        void client.write(head('GET', path));
        const taken = await fixture.next();
        t.equal(taken.request.path, path);
        taken.answer(path);
        const answer = await client.answer();
        t.strictSame([answer.body.toString(), answer.header('connection')], [path, undefined]);
      }
      t.equal(fixture.edge.connections, 1);
    },
  },
  {
    name: 'connection-close',
    says: 'a client that asks for a close gets it, and a request sent after it is not served',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/1', ['Connection: close']) + head('GET', '/2'));
      taken.answer('last');
      const answer = await client.answer();
      t.strictSame([answer.body.toString(), answer.header('connection')], ['last', 'close']);
      t.equal(await client.closed(), 'fin');
      t.equal(fixture.handler.count, 1);
    },
  },
  {
    name: 'pipelining',
    says: 'pipelined requests are answered in order, though answers take their time',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      void client.write(['/1', '/2', '/3'].map((path) => head('GET', path)).join(''));
      for (const path of ['/1', '/2', '/3']) {
        const taken = await fixture.next();
        t.equal(taken.request.path, path);
        await new Promise(setImmediate);
        taken.start();
        taken.response.write(Buffer.from(path));
        await new Promise(setImmediate);
        taken.response.end();
        t.equal((await client.answer()).body.toString(), path);
      }
    },
  },
  {
    name: 'pipelining-effects',
    says: 'a pipelined request takes effect when the answer before it is complete, not earlier (RFC 9112 §9.3.2)',
    run: async (t, fixture) => {
      const post = (path: string) => `${head('POST', path, ['Content-Length: 4'])}body`;
      const { client, taken } = await fixture.send(post('/1') + post('/2') + head('DELETE', '/3'));
      await taken.read();
      t.equal(await settled(() => fixture.handler.count), 1);
      taken.start(2, true);
      t.equal(await settled(() => fixture.handler.count), 1, 'a head is not yet an answer');
      taken.response.end(Buffer.from('ok'));
      const second = await fixture.next();
      t.equal((await second.read()).bytes.toString(), 'body');
      second.answer('ok');
      const third = await fixture.next();
      t.strictSame([second.request.path, third.request.path], ['/2', '/3']);
      third.answer('ok');
      for (const _ of [1, 2, 3]) t.equal((await client.answer()).body.toString(), 'ok');
    },
  },
  {
    name: 'pipelining-synchronous',
    says: 'pipelined requests that are answered at once are answered in order',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
      void client.write(paths.map((path) => head('GET', path)).join(''));
      for (const _ of paths) {
        const taken = await fixture.next();
        taken.answer(taken.request.path);
      }
      for (const path of paths) t.equal((await client.answer()).body.toString(), path);
    },
  },
  {
    name: 'pipelining-broken',
    says: 'after an answer is broken off, nothing that was pipelined behind it is served',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/1') + head('DELETE', '/2'));
      taken.start(10);
      taken.response.write(Buffer.from('part'));
      taken.response.abort();
      const answer = await client.answer();
      t.strictSame([answer.body.toString(), answer.whole], ['part', false]);
      await client.closed();
      t.equal(fixture.handler.count, 1);
    },
  },
  {
    name: 'pipelining-malformed',
    says: 'malformed bytes behind a request do not harm its answer; they are refused after it',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(`${head('GET', '/1')}nonsense\r\n\r\n${head('GET', '/2')}`);
      await settled(() => client.receivedBytes);
      taken.answer('unharmed');
      t.equal((await client.answer()).body.toString(), 'unharmed');
      t.equal((await client.answer()).status, 400);
      t.equal(await client.closed(), 'fin');
      t.equal(fixture.handler.count, 1);
      t.equal(taken.gones, 0);
    },
  },
];
