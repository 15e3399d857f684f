/** Clauses of the `Edge` contract: clients that leave, and clients that only seem to. */
import { head, type RawClient } from '../../kit/clients/raw-client.js';
import { settled, until } from '../../kit/until.js';
import type { Clause } from '../clause.js';
import { Taken } from '../scripted-handler.js';

/** Starts an answer, and resolves when the client has some of it. */
async function begin(client: RawClient, taken: Taken): Promise<void> {
  taken.start();
  taken.response.write(Buffer.from('begun;'));
  await client.receives('begun;');
}

/** Sends FIN, and resolves when the edge has seen it: it sets the timer of its grace then. */
async function halfClose(client: RawClient, pending: () => number): Promise<void> {
  client.end();
  await until(() => pending() > 0);
}

/** Clients that leave. */
export const leavingClauses: readonly Clause[] = [
  {
    name: 'gone-reset',
    says: 'the owner of an answer hears of a reset, once, before the head and in the body',
    run: async (t, fixture) => {
      for (const started of [false, true]) {
        const { client, taken } = await fixture.send(head('GET', '/'));
        if (started) await begin(client, taken);
        client.reset();
        await until(() => taken.gones > 0);
        taken.response.write(Buffer.from('x'));
        taken.response.end();
        t.equal(await settled(() => taken.gones), 1);
      }
      t.equal(fixture.edge.connections, 0);
    },
  },
  {
    name: 'gone-late-owner',
    says: 'an owner that comes after the client has gone is told of it soon',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      client.reset();
      await until(() => taken.gones === 1);
      const late = new Taken(taken.request, taken.response);
      t.equal(late.gones, 0, 'not from within the call');
      await until(() => late.gones === 1);
    },
  },
  {
    name: 'gone-new-owner',
    says: 'only the present owner hears of the client',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      const later = new Taken(taken.request, taken.response);
      client.reset();
      await until(() => later.gones === 1);
      t.equal(taken.gones, 0);
    },
  },
  {
    name: 'gone-after-end',
    says: 'a client that leaves after its answer is nobody’s business',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.answer('done');
      await client.answer();
      client.reset();
      await until(() => fixture.edge.connections === 0);
      t.equal(taken.gones, 0);
    },
  },
  {
    name: 'half-close-gone',
    says: 'a client that has sent FIN counts as gone when its answer stays silent for longer than the grace',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      await halfClose(client, () => fixture.clock.pending);
      fixture.clock.advance(fixture.limits.clientHalfCloseGrace - 1);
      t.equal(await settled(() => taken.gones), 0);
      fixture.clock.advance(1);
      await until(() => taken.gones === 1);
      await client.closed();
    },
  },
  {
    name: 'half-close-answered',
    says: 'a client that has sent FIN is answered within the grace, and then closed',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      await halfClose(client, () => fixture.clock.pending);
      fixture.clock.advance(fixture.limits.clientHalfCloseGrace / 2);
      taken.answer('in time');
      t.equal((await client.answer()).body.toString(), 'in time');
      t.equal(await client.closed(), 'fin');
      t.equal(taken.gones, 0);
    },
  },
  {
    name: 'half-close-pipelined',
    says: 'all requests that were sent before a FIN are answered',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/1') + head('GET', '/2'));
      await halfClose(client, () => fixture.clock.pending);
      taken.answer('1');
      (await fixture.next()).answer('2');
      t.equal((await client.answer()).body.toString(), '1');
      t.equal((await client.answer()).body.toString(), '2');
      t.equal(await client.closed(), 'fin');
    },
  },
  {
    name: 'half-close-download',
    says: 'a half-closed download that goes on for longer than the grace is complete',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.start(undefined, true);
      await halfClose(client, () => fixture.clock.pending);
      for (let i = 0; i < 5; i++) {
        fixture.clock.advance(fixture.limits.clientHalfCloseGrace - 1);
        taken.response.write(Buffer.from(`part ${i},`));
        await client.receives(`part ${i},`);
        fixture.clock.advance(1);
      }
      taken.response.end();
      const answer = await client.answer();
      t.strictSame([answer.body.toString(), answer.whole], ['part 0,part 1,part 2,part 3,part 4,', true]);
      t.equal(taken.gones, 0);
    },
  },
  {
    name: 'half-close-slow-reader',
    says: 'a half-closed client that takes a long answer slowly gets all of it, although nothing more is written',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      client.pause();
      await halfClose(client, () => fixture.clock.pending);
      const block = Buffer.alloc(2 ** 20);
      const blocks = 32;
      taken.start(blocks * block.length);
      for (let i = 0; i < blocks; i++) taken.response.write(block);
      taken.response.end();
      fixture.clock.advance(fixture.limits.clientHalfCloseGrace);
      for (let read = client.receivedBytes; fixture.edge.connections > 0; read = client.receivedBytes) {
        client.resume();
        await until(() => client.receivedBytes > read + 4 * block.length || fixture.edge.connections === 0);
        client.pause();
        fixture.clock.advance(fixture.limits.clientHalfCloseGrace);
        if (client.receivedBytes >= (blocks - 8) * block.length) client.resume();
      }
      client.resume();
      t.equal((await client.answer()).whole, true);
    },
  },
  {
    name: 'half-close-idle',
    says: 'a FIN between two requests closes the connection at once',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/'));
      taken.answer('done');
      await client.answer();
      client.end();
      t.equal(await client.closed(), 'fin');
      await until(() => fixture.edge.connections === 0);
    },
  },
];
