/** Clauses of the `Edge` contract: back-pressure, and pieces pushed into held streams. */
import { StreamPiece } from '../../../dist/edge/port.js';
import { head } from '../../kit/clients/raw-client.js';
import { settled, until } from '../../kit/until.js';
import type { Clause } from '../clause.js';
import type { Taken } from '../scripted-handler.js';

const BLOCK = Buffer.alloc(64 * 1024, 'x');
const piece = (text: string) => new StreamPiece(Buffer.from(text));

/** Writes until the client takes no more; the number of bytes written. */
function fill(taken: Taken): number {
  let bytes = BLOCK.length;
  while (taken.response.write(BLOCK)) bytes += BLOCK.length;
  return bytes;
}

const pressureClauses: readonly Clause[] = [
  {
    name: 'back-pressure',
    says: 'write is false when the client takes no more, and onWritable follows once it does',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      client.pause();
      taken.start();
      let bytes = fill(taken);
      // What the kernel takes at first is taken at once; then the writer has to wait for the reader.
      for (let room = -1; room !== taken.writables; ) {
        room = await settled(() => taken.writables);
        if (room > 0 && taken.response.waiting === 0) bytes += fill(taken);
      }
      const before = taken.writables;
      t.ok(taken.response.waiting > 0);
      client.resume();
      await until(() => taken.writables > before);
      taken.response.end();
      const answer = await client.answer();
      t.strictSame([answer.body.length, answer.whole], [bytes, true]);
    },
  },
  {
    name: 'writable-once',
    says: 'onWritable is called once for a write that returned false, and not at all for others',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start();
      t.equal(taken.response.write(Buffer.from('small')), true);
      t.equal(await settled(() => taken.writables), 0);
      // More than the buffers between take by themselves.
      client.pause();
      t.equal(taken.response.write(Buffer.alloc(2 ** 25)), false);
      client.resume();
      await until(() => taken.writables > 0);
      t.equal(await settled(() => taken.writables), 1);
      taken.response.end();
      t.equal((await client.answer()).body.length, 2 ** 25 + 5);
    },
  },
  {
    name: 'writable-last',
    says: 'onWritable follows a write that returned false, though that was the last of the declared length',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      client.pause();
      taken.start(2 ** 25);
      t.equal(taken.response.write(Buffer.alloc(2 ** 25)), false);
      client.resume();
      await until(() => taken.writables > 0);
      taken.response.end();
      const answer = await client.answer();
      t.strictSame([answer.body.length, answer.whole], [2 ** 25, true]);
      t.strictSame([await settled(() => taken.writables), taken.gones], [1, 0]);
    },
  },
  {
    name: 'waiting-grows',
    says: 'waiting grows with what is pushed to a client that has stopped reading, and shrinks when it reads again',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      client.pause();
      taken.start(undefined, true);
      t.equal(await settled(() => taken.response.waiting), 0);
      const block = new StreamPiece(BLOCK);
      let pushed = 0;
      for (; (await settledSoon(taken)) < 20 * BLOCK.length; pushed++) taken.response.push(block);
      taken.response.push(block);
      t.ok(taken.response.waiting >= 21 * BLOCK.length, 'at once, before the turn is over');
      client.resume();
      await until(() => taken.response.waiting === 0);
      taken.response.end();
      t.equal((await client.answer()).body.length, (pushed + 1) * BLOCK.length);
      t.equal(taken.response.bodyBytes, (pushed + 1) * BLOCK.length);
    },
  },
];

/** What waits after a few turns of the event loop. */
async function settledSoon(taken: Taken): Promise<number> {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
  return taken.response.waiting;
}

const pushClauses: readonly Clause[] = [
  {
    name: 'push-order',
    says: 'write, push and end take effect in the order in which they are called',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      const { response } = taken;
      taken.start(undefined, true);
      response.write(Buffer.from('1'));
      response.push(piece('2'));
      response.push(piece('3'));
      response.write(Buffer.from('4'));
      response.push(piece('5'));
      await new Promise(setImmediate);
      response.push(piece('6'));
      response.end(Buffer.from('7'));
      const answer = await client.answer();
      t.strictSame([answer.body.toString(), answer.whole], ['1234567', true]);
      t.equal(response.bodyBytes, 7);
    },
  },
  {
    name: 'push-first',
    says: 'a piece pushed behind a head that was not flushed follows that head',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start();
      taken.response.push(piece('abc'));
      await client.receives('abc');
      taken.response.end();
      t.strictSame((await client.answer()).chunks, ['abc']);
    },
  },
  {
    name: 'push-chunks',
    says: 'a piece goes to an HTTP/1.1 client as one chunk, to several clients alike',
    run: async (t, fixture) => {
      const shared = piece('shared');
      const sent = await Promise.all([fixture.send(head('GET', '/1')), fixture.send(head('GET', '/2'))]);
      for (const { taken } of sent) {
        taken.start(undefined, true);
        taken.response.push(shared);
        taken.response.push(piece('x'.repeat(300)));
      }
      await new Promise(setImmediate);
      for (const { client, taken } of sent) {
        taken.response.end();
        t.strictSame((await client.answer()).chunks, ['shared', 'x'.repeat(300)]);
      }
    },
  },
  {
    name: 'push-whole',
    says: 'a piece goes out with the end of its chunk, before there is another',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start(undefined, true);
      for (const text of ['first', 'second']) {
        taken.response.push(piece(text));
        await client.receives(text);
        await settled(() => client.receivedBytes);
        t.ok(client.received.toString().endsWith(`\r\n${text}\r\n`), text);
      }
    },
  },
  {
    name: 'push-empty',
    says: 'an empty piece writes nothing: it would end a chunked body',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start(undefined, true);
      taken.response.push(piece(''));
      await new Promise(setImmediate);
      taken.response.push(piece('after'));
      taken.response.end();
      t.strictSame((await client.answer()).chunks, ['after']);
    },
  },
  {
    name: 'push-1.0',
    says: 'pieces go to an HTTP/1.0 client without framing',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/', [], '1.0'));
      taken.start(undefined, true);
      taken.response.push(piece('abc'));
      taken.response.push(piece('de'));
      await client.receives('abcde');
      taken.response.end();
      t.equal((await client.answer()).body.toString(), 'abcde');
    },
  },
  {
    name: 'push-length',
    says: 'pieces of an answer of known length go out without framing',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start(5, true);
      taken.response.push(piece('abc'));
      await client.receives('abc');
      taken.response.end(Buffer.from('de'));
      t.equal((await client.answer()).body.toString(), 'abcde');
    },
  },
  {
    name: 'push-bodiless',
    says: 'what is written or pushed where there is no body (HEAD, 304) does not get out',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      for (const [method, status] of [
        ['HEAD', 200],
        ['GET', 304],
      ] as const) {
        void client.write(head(method, '/'));
        const { response } = await fixture.next();
        response.writeHead({ status, reason: 'X', headers: [] }, undefined, true);
        response.push(piece('HTTP/1.1 200 Evil\r\n\r\n'));
        response.write(Buffer.from('evil'));
        await new Promise(setImmediate);
        response.push(piece('evil'));
        response.end();
        t.equal((await client.answer(method)).status, status);
        void client.write(head('GET', '/next'));
        (await fixture.next()).answer('next');
        t.equal((await client.answer()).body.toString(), 'next');
      }
    },
  },
];

/** Back-pressure and pushed pieces. */
export const flowClauses: readonly Clause[] = [...pressureClauses, ...pushClauses];
