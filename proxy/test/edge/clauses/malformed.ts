/** Clauses of the `Edge` contract: requests that are refused, so that nothing ambiguous reaches an origin. */
import { head } from '../../kit/clients/raw-client.js';
import { settled } from '../../kit/until.js';
import type { Clause } from '../clause.js';
import { chunkClauses } from './malformed-chunks.js';
import { refusedRequests } from './refused-requests.js';

const refusals = refusedRequests.map(
  ({ name, says, bytes }): Clause => ({
    name: `refuses-${name}`,
    says: `${says}: refused, and neither it nor anything sent after it is served`,
    run: async (t, fixture) => {
      const client = await fixture.connect();
      void client.write(bytes);
      const answer = await client.answer();
      t.match(String(answer.status), /^(400|411|501|505)$/);
      t.equal(await client.closed(), 'fin');
      t.equal(client.received.length, 0, 'one answer only');
      const smuggled = `${bytes}${head('GET', '/smuggled')}`;
      for (const pieces of [[smuggled], [bytes, head('GET', '/smuggled')], [...smuggled]]) {
        const smuggling = await fixture.connect();
        for (const piece of pieces) await smuggling.write(piece);
        await smuggling.closed();
        const answers = smuggling.received.toString().split('HTTP/1.1 ').length - 1;
        t.ok(answers <= 1, 'one answer at most');
        t.equal(fixture.handler.count, 0, 'nothing of it is served');
      }
    },
  }),
);

/** Requests that are refused. */
export const malformedClauses: readonly Clause[] = [
  ...refusals,
  ...chunkClauses,
  {
    name: 'refusals-told',
    says: 'a refusal has the right status, says in its body what is wrong, and is reported',
    run: async (t, fixture) => {
      for (const { says, bytes, status = 400, text = /^Failed to parse request: \S.*\n$/ } of refusedRequests) {
        const client = await fixture.connect();
        const reported = fixture.refused.length;
        void client.write(bytes);
        const answer = await client.answer();
        t.equal(answer.status, status, says);
        t.match(answer.body.toString(), text);
        t.equal(answer.header('content-type'), 'text/plain');
        t.equal(answer.header('connection'), 'close');
        t.equal(fixture.refused.length, reported + 1, 'once');
      }
    },
  },
  {
    name: 'methods',
    says: 'a method that is not known is answered 501 with its name, CONNECT too (RFC 9110 §9.1); others are handed over',
    run: async (t, fixture) => {
      for (const [method, told] of [
        ['ABC', 'ABC'],
        ['get', 'get'],
        ['GETX', 'GETX'],
        ["A!#$%&'*+.^_`|~9-", "A!#$%&'*+.^_`|~9-"],
        ['X'.repeat(41), `${'X'.repeat(40)}...`],
        ['CONNECT', 'CONNECT'],
      ] as const) {
        const client = await fixture.connect();
        const reported = fixture.refused.length;
        void client.write(`${head(method, '/', ['Content-Length: 3'])}abc`);
        const answer = await client.answer();
        t.strictSame([answer.status, answer.body.toString()], [501, `Method not supported: ${told}.\n`]);
        t.strictSame([answer.header('content-type'), await client.closed()], ['text/plain', 'fin']);
        t.equal(fixture.refused.length, reported + 1, 'once');
        t.equal(fixture.handler.count, 0);
      }
      const client = await fixture.connect();
      for (const method of ['GET', 'TRACE', 'PATCH', 'PROPFIND', 'M-SEARCH', 'PURGE']) {
        void client.write(head(method, '/'));
        const taken = await fixture.next();
        t.equal(taken.request.method, method);
        taken.answer('ok');
        await client.answer();
      }
    },
  },
  {
    name: 'refuses-version-2',
    says: 'a version other than 1.0 and 1.1 is answered 505, or 400 where the version decides how to parse',
    run: async (t, fixture) => {
      for (const version of ['2.0', '1.2', '3.0', '0.9']) {
        const client = await fixture.connect();
        void client.write(head('GET', '/', [], version));
        t.match(String((await client.answer()).status), /^(505|400)$/, version);
        await client.closed();
      }
      t.equal(fixture.handler.count, 0);
    },
  },
  {
    name: 'refusal-arrives',
    says: 'a refusal reaches a client that goes on sending (RFC 9112 §9.6)',
    run: async (t, fixture) => {
      for (const start of [
        'nonsense\r\n\r\n',
        head('POST', '/', ['Host: a', 'Host: b', 'Content-Length: 9999999']),
        head('POST', '/', ['Transfer-Encoding: gzip, chunked']),
      ]) {
        const client = await fixture.connect();
        client.pause();
        void client.write(start);
        await settled(() => fixture.refused.length);
        for (let i = 0; i < 20; i++) await client.write(Buffer.alloc(10_000, 'x'));
        await settled(() => fixture.edge.connections);
        client.resume();
        t.match(String((await client.answer()).status), /^(400|501)$/);
      }
      t.equal(fixture.handler.count, 0);
    },
  },
];
