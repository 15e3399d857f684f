/** Clauses of the `Edge` contract: what a handler is given of a request head. */
import { head } from '../../kit/clients/raw-client.js';
import type { Clause } from '../clause.js';

/** Request heads as values. */
export const requestClauses: readonly Clause[] = [
  {
    name: 'request-line',
    says: 'method, path with query, host and version are handed over as sent',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(
        head('PUT', '/a/../b//%7e?x=%20&y?', ['Host: Api.Example:8080', 'Content-Length: 0']),
      );
      const { method, path, host, version, secure, clientAddress } = taken.request;
      t.strictSame(
        { method, path, host, version },
        {
          method: 'PUT',
          path: '/a/../b//%7e?x=%20&y?',
          host: 'Api.Example:8080',
          version: '1.1',
        },
      );
      t.equal(secure, false);
      t.equal(clientAddress, '127.0.0.1');
      taken.answer('');
    },
  },
  {
    name: 'request-headers',
    says: 'header fields keep their order, their duplicates and their values',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(
        head('GET', '/', ['Host: a', 'X-B: 2', 'Cookie: c=1', 'X-A:  padded value\t', 'cookie: d=2', 'X-Empty:']),
      );
      const fields = taken.request.headers.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
      t.strictSame(fields, [
        ...['host', 'a', 'x-b', '2', 'cookie', 'c=1'],
        ...['x-a', 'padded value', 'cookie', 'd=2', 'x-empty', ''],
      ]);
      taken.answer('');
    },
  },
  {
    name: 'request-header-case',
    says: 'header names keep their case',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(head('GET', '/', ['hOsT: a', 'X-MiXed: 1', 'x-lower: 2', 'X-UPPER: 3']));
      const names = taken.request.headers.filter((_, i) => i % 2 === 0);
      t.strictSame(names, ['hOsT', 'X-MiXed', 'x-lower', 'X-UPPER']);
      taken.answer('');
    },
  },
  {
    name: 'request-header-bytes',
    says: 'bytes above 127 in header values arrive one character each',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(head('GET', '/', ['X-Name: \xe9a\xc3\xa9\xff']));
      t.equal(taken.request.headers.at(-1), '\xe9a\xc3\xa9\xff');
      taken.answer('');
    },
  },
  {
    name: 'request-copied',
    says: 'a request can be read after its answer is complete and its connection gone',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/kept', ['X-A: 1']));
      taken.answer('done');
      await client.answer();
      client.reset();
      const again = await fixture.send(head('GET', '/other', ['X-A: 2']));
      t.equal(taken.request.path, '/kept');
      t.equal(taken.request.headers.at(-1), '1');
      t.not(taken.request.id, again.taken.request.id, 'ids are unique');
      again.taken.answer('');
    },
  },
  {
    name: 'absolute-form',
    says: 'of an absolute-form target the authority goes before Host (RFC 9112 §3.2.2)',
    run: async (t, fixture) => {
      const cases = [
        ['http://Real.example:81/p?q', 'Real.example:81', '/p?q'],
        ['HTTPS://real.example', 'real.example', '/'],
        ['http://real.example?q', 'real.example', '/?q'],
        ['http://[::1]:80/p#f', '[::1]:80', '/p'],
      ] as const;
      for (const [target, host, path] of cases) {
        const { taken } = await fixture.send(head('GET', target, ['Host: ignored.example']));
        t.strictSame([taken.request.host, taken.request.path], [host, path], target);
        taken.answer('');
      }
    },
  },
  {
    name: 'fragment',
    says: 'a fragment is cut off the path',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(head('GET', '/p?q=1#part?x'));
      t.equal(taken.request.path, '/p?q=1');
      taken.answer('');
    },
  },
  {
    name: 'leading-crlf',
    says: 'an empty line before a request is ignored (RFC 9112 §2.2)',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(`\r\n${head('GET', '/p')}`);
      t.equal(taken.request.path, '/p');
      taken.answer('');
    },
  },
  {
    name: 'host-1.0',
    says: 'an HTTP/1.0 request need not have a Host',
    run: async (t, fixture) => {
      const { taken } = await fixture.send('GET /p HTTP/1.0\r\n\r\n');
      t.strictSame([taken.request.version, taken.request.host], ['1.0', '']);
      taken.answer('');
    },
  },
  {
    name: 'options-asterisk',
    says: 'OPTIONS * is answered by the edge itself',
    run: async (t, fixture) => {
      const client = await fixture.connect();
      void client.write(head('OPTIONS', '*'));
      const answer = await client.answer();
      t.equal(answer.status, 200);
      t.equal(answer.body.length, 0);
      t.equal(fixture.handler.count, 0);
    },
  },
  {
    name: 'unknown-expectation',
    says: 'an expectation other than 100-continue is passed over (RFC 9110 §10.1.1)',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('GET', '/p', ['Expect: the-unexpected']));
      taken.answer('served');
      t.equal((await client.answer()).body.toString(), 'served');
    },
  },
];
