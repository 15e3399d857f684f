/** Clauses of the `Edge` contract: answers that are broken off, so that their clients can tell (RFC 9112 §8). */
import { StreamPiece } from '../../../dist/edge/port.js';
import { head } from '../../kit/clients/raw-client.js';
import { settled, until } from '../../kit/until.js';
import type { Clause } from '../clause.js';

/** Broken answers. */
export const abortClauses: readonly Clause[] = [
  {
    name: 'abort-chunked',
    says: 'a chunked answer that is aborted lacks its last chunk; what was written before arrives',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      const big = Buffer.alloc(2 ** 20, 'x');
      taken.start();
      taken.response.write(big);
      taken.response.push(new StreamPiece(Buffer.from('piece')));
      taken.response.abort();
      const answer = await client.answer();
      t.strictSame([answer.body.length, answer.whole], [big.length + 5, false]);
      t.equal(await client.closed(), 'fin');
      t.equal(taken.gones, 0, 'whoever aborts is not told of it');
    },
  },
  {
    name: 'abort-length',
    says: 'an answer of known length that is aborted is shorter than declared',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start(10);
      taken.response.write(Buffer.from('part'));
      taken.response.abort();
      const answer = await client.answer();
      t.strictSame([answer.body.toString(), answer.whole], ['part', false]);
      t.equal(await client.closed(), 'fin');
    },
  },
  {
    name: 'abort-until-close',
    says: 'an answer that only the close delimits is aborted by a reset: a close would make it look complete',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/', [], '1.0'));
      taken.start();
      taken.response.write(Buffer.from('part'));
      await client.receives('part');
      taken.response.abort();
      t.equal(await client.closed(), 'reset');
    },
  },
  {
    name: 'abort-before-head',
    says: 'an abort before the head closes without an answer',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.response.abort();
      await client.closed();
      t.equal(client.receivedBytes, 0);
    },
  },
  {
    name: 'abort-discard',
    says: 'an abort that discards cuts the connection of a client that does not read, at once',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      client.pause();
      taken.start();
      for (let i = 0; i < 32; i++) taken.response.write(Buffer.alloc(2 ** 20));
      t.ok((await settled(() => taken.response.waiting)) > 0);
      taken.response.abort(true);
      await until(() => fixture.edge.connections === 0);
      t.equal(taken.response.waiting, 0, 'its buffers are freed');
      client.resume();
      await client.closed();
      t.ok(client.receivedBytes < 32 * 2 ** 20);
    },
  },
  {
    name: 'abort-over',
    says: 'calls after an abort or an end do nothing',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      void client.write(head('GET', '/'));
      const ended = await fixture.next();
      ended.answer('whole');
      for (const { response } of [ended]) {
        response.write(Buffer.from('more'));
        response.push(new StreamPiece(Buffer.from('more')));
        response.end(Buffer.from('more'));
        response.abort();
      }
      t.equal((await client.answer()).body.toString(), 'whole');
      void client.write(head('GET', '/'));
      const aborted = await fixture.next();
      aborted.start(10);
      aborted.response.abort();
      aborted.response.write(Buffer.from('more'));
      aborted.response.push(new StreamPiece(Buffer.from('more')));
      aborted.response.end(Buffer.from('more'));
      await client.closed();
      t.notOk(client.received.includes('more'));
    },
  },
];
