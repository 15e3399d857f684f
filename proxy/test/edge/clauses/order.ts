/** Clauses of the `Edge` contract: several requests on one connection. */
import { head } from '../../kit/clients/raw-client.js';
import type { Clause } from '../clause.js';
import { settled } from '../wait.js';

/** Requests of one connection. */
export const orderClauses: readonly Clause[] = [
  {
    name: 'keep-alive',
    says: 'a connection is used again, without a word of it in the answers',
    run: async (t, scene) => {
      const client = await scene.connect();
      for (const path of ['/1', '/2', '/3']) {
        void client.write(head('GET', path));
        const taken = await scene.next();
        t.equal(taken.request.path, path);
        taken.answer(path);
        const answer = await client.answer();
        t.strictSame([answer.body.toString(), answer.header('connection')], [path, undefined]);
      }
      t.equal(scene.edge.connections, 1);
    },
  },
  {
    name: 'connection-close',
    says: 'a client that asks for a close gets it, and a request sent after it is not served',
    run: async (t, scene) => {
      const { client, taken } = await scene.send(head('GET', '/1', ['Connection: close']) + head('GET', '/2'));
      taken.answer('last');
      const answer = await client.answer();
      t.strictSame([answer.body.toString(), answer.header('connection')], ['last', 'close']);
      t.equal(await client.closed(), 'fin');
      t.equal(scene.handler.count, 1);
    },
  },
  {
    name: 'pipelining',
    says: 'pipelined requests are answered in order, though answers take their time',
    run: async (t, scene) => {
      const client = await scene.connect();
      void client.write(['/1', '/2', '/3'].map((path) => head('GET', path)).join(''));
      for (const path of ['/1', '/2', '/3']) {
        const taken = await scene.next();
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
    run: async (t, scene) => {
      const post = (path: string) => `${head('POST', path, ['Content-Length: 4'])}body`;
      const { client, taken } = await scene.send(post('/1') + post('/2') + head('DELETE', '/3'));
      await taken.read();
      t.equal(await settled(() => scene.handler.count), 1);
      taken.start(2, true);
      t.equal(await settled(() => scene.handler.count), 1, 'a head is not yet an answer');
      taken.response.end(Buffer.from('ok'));
      const second = await scene.next();
      t.equal((await second.read()).bytes.toString(), 'body');
      second.answer('ok');
      const third = await scene.next();
      t.strictSame([second.request.path, third.request.path], ['/2', '/3']);
      third.answer('ok');
      for (const _ of [1, 2, 3]) t.equal((await client.answer()).body.toString(), 'ok');
    },
  },
  {
    name: 'pipelining-synchronous',
    says: 'pipelined requests that are answered at once are answered in order',
    run: async (t, scene) => {
      const client = await scene.connect();
      const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
      void client.write(paths.map((path) => head('GET', path)).join(''));
      for (const _ of paths) {
        const taken = await scene.next();
        taken.answer(taken.request.path);
      }
      for (const path of paths) t.equal((await client.answer()).body.toString(), path);
    },
  },
  {
    name: 'pipelining-broken',
    says: 'after an answer is broken off, nothing that was pipelined behind it is served',
    run: async (t, scene) => {
      const { client, taken } = await scene.send(head('GET', '/1') + head('DELETE', '/2'));
      taken.start(10);
      taken.response.write(Buffer.from('part'));
      taken.response.abort();
      const answer = await client.answer();
      t.strictSame([answer.body.toString(), answer.whole], ['part', false]);
      await client.closed();
      t.equal(scene.handler.count, 1);
    },
  },
  {
    name: 'pipelining-malformed',
    says: 'malformed bytes behind a request do not harm its answer; they are refused after it',
    run: async (t, scene) => {
      const { client, taken } = await scene.send(`${head('GET', '/1')}nonsense\r\n\r\n${head('GET', '/2')}`);
      await settled(() => client.receivedBytes);
      taken.answer('unharmed');
      t.equal((await client.answer()).body.toString(), 'unharmed');
      t.equal((await client.answer()).status, 400);
      t.equal(await client.closed(), 'fin');
      t.equal(scene.handler.count, 1);
      t.equal(taken.gones, 0);
    },
  },
];
