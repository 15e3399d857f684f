/** Clauses of the `Edge` contract: requests that are refused, so that nothing ambiguous reaches an origin. */
import type { Clause } from '../clause.js';
import { head } from '../raw-client.js';
import { settled } from '../wait.js';

interface Refused {
  readonly name: string;
  readonly says: string;
  readonly bytes: string;
  readonly status?: number;
  readonly text?: RegExp;
}

const refusedRequests: readonly Refused[] = [
  { name: 'garbage', says: 'bytes that are not HTTP', bytes: '\x16\x03\x01 nonsense\r\n\r\n' },
  { name: 'method-unknown', says: 'a method that is no token', bytes: head('G@T', '/') },
  {
    name: 'version-missing',
    says: 'a request line without a version',
    bytes: 'GET /\r\nHost: a\r\n\r\n',
    status: 505,
    text: /^HTTP version not supported\.\n$/,
  },
  { name: 'version-bad', says: 'a malformed version', bytes: 'GET / HTTP/1.x\r\nHost: a\r\n\r\n' },
  { name: 'length-bad', says: 'a Content-Length that is no number', bytes: head('POST', '/', ['Content-Length: 1x']) },
  { name: 'length-negative', says: 'a negative Content-Length', bytes: head('POST', '/', ['Content-Length: -1']) },
  {
    name: 'length-plus',
    says: 'a Content-Length with a sign',
    bytes: `${head('POST', '/', ['Content-Length: +1'])}a`,
  },
  {
    name: 'length-empty',
    says: 'an empty Content-Length',
    bytes: `${head('POST', '/', ['Content-Length:'])}a`,
  },
  {
    name: 'length-huge',
    says: 'a Content-Length beyond every number',
    bytes: head('POST', '/', ['Content-Length: 99999999999999999999999']),
  },
  {
    name: 'length-different',
    says: 'two different Content-Lengths (RFC 9112 §6.3)',
    bytes: `${head('POST', '/', ['Content-Length: 3', 'Content-Length: 5'])}abcde`,
  },
  {
    name: 'length-list',
    says: 'a list of different Content-Lengths',
    bytes: `${head('POST', '/', ['Content-Length: 3, 5'])}abcde`,
  },
  {
    name: 'length-and-coding',
    says: 'Content-Length beside Transfer-Encoding (RFC 9112 §6.1)',
    bytes: `${head('POST', '/', ['Content-Length: 3', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
  },
  {
    name: 'coding-1.0',
    says: 'Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked'], '1.0')}0\r\n\r\n`,
    text: /Transfer-Encoding in an HTTP\/1\.0 request/,
  },
  {
    name: 'coding-unknown',
    says: 'a transfer coding that is not understood (501, RFC 9112 §6.1)',
    bytes: `${head('POST', '/', ['Transfer-Encoding: gzip, chunked'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-twice',
    says: 'chunked twice, in two fields',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
  },
  {
    name: 'coding-not-last',
    says: 'chunked that is not the last coding (RFC 9112 §6.3)',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked, gzip'])}0\r\n\r\n`,
  },
  {
    name: 'coding-disguised',
    says: 'a coding that merely resembles chunked',
    bytes: `${head('POST', '/', ['Transfer-Encoding: xchunked'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  { name: 'name-space', says: 'a space before the colon (RFC 9112 §5.1)', bytes: head('GET', '/', ['X-A : 1']) },
  { name: 'name-empty', says: 'an empty header name', bytes: head('GET', '/', [': 1']) },
  { name: 'name-missing', says: 'a header line without a colon', bytes: head('GET', '/', ['X-A']) },
  { name: 'value-nul', says: 'a NUL in a value (RFC 9110 §5.5)', bytes: head('GET', '/', ['X-A: a\0b']) },
  { name: 'value-cr', says: 'a bare CR in a value', bytes: head('GET', '/', ['X-A: a\rb']) },
  { name: 'obs-fold', says: 'a folded header line (RFC 9112 §5.2)', bytes: head('GET', '/', ['X-A: a', ' b']) },
  { name: 'bare-lf', says: 'lines that end in a bare LF', bytes: 'GET / HTTP/1.1\nHost: a\n\n' },
  {
    name: 'bare-lf-header',
    says: 'a header line that ends in a bare LF',
    bytes: 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n',
  },
  {
    name: 'host-missing',
    says: 'no Host in HTTP/1.1 (RFC 9112 §3.2)',
    bytes: 'GET / HTTP/1.1\r\nX-A: 1\r\n\r\n',
    text: /missing Host header/,
  },
  {
    name: 'host-twice',
    says: 'two Hosts (RFC 9112 §3.2)',
    bytes: head('GET', '/', ['Host: a', 'host: b']),
    text: /more than one Host header/,
  },
  {
    name: 'host-bad',
    says: 'a Host that is no authority',
    bytes: head('GET', '/', ['Host: a/b']),
    text: /invalid Host header/,
  },
  {
    name: 'host-space',
    says: 'a Host with a space',
    bytes: head('GET', '/', ['Host: a b']),
    text: /invalid Host header/,
  },
  { name: 'host-userinfo', says: 'a Host with user information', bytes: head('GET', '/', ['Host: a@b']) },
  { name: 'target-bad', says: 'a target that is neither path nor URL', bytes: head('GET', 'p') },
  { name: 'target-asterisk', says: 'an asterisk with a method other than OPTIONS', bytes: head('GET', '*') },
  { name: 'target-scheme', says: 'an absolute target of another scheme', bytes: head('GET', 'ftp://a/b') },
  {
    name: 'target-no-authority',
    says: 'an absolute target without an authority (RFC 9110 §4.2.1)',
    bytes: head('GET', 'http:///b'),
  },
  {
    name: 'connect',
    says: 'CONNECT (501)',
    bytes: head('CONNECT', 'a:443', ['Host: a:443']),
    status: 501,
    text: /^Method not supported: CONNECT\.\n$/,
  },
  { name: 'field-nameless', says: 'a header line without a name (RFC 9110 §5.1)', bytes: head('GET', '/', [': x']) },
];

const refusals = refusedRequests.map(
  ({ name, says, bytes }): Clause => ({
    name: `refuses-${name}`,
    says: `${says}: refused, and neither it nor anything sent after it is served`,
    run: async (t, scene) => {
      const client = await scene.connect();
      void client.write(bytes);
      const answer = await client.answer();
      t.match(String(answer.status), /^(400|501|505)$/);
      t.equal(await client.closed(), 'fin');
      t.equal(client.received.length, 0, 'one answer only');
      const smuggling = await scene.connect();
      void smuggling.write(`${bytes}${head('GET', '/smuggled')}`);
      await smuggling.closed();
      const answers = smuggling.received.toString().split('HTTP/1.1 ').length - 1;
      t.ok(answers <= 1, 'one answer at most');
      t.equal(scene.handler.count, 0, 'nothing of it is served');
    },
  }),
);

/** Requests that are refused. */
export const malformedClauses: readonly Clause[] = [
  ...refusals,
  {
    name: 'refusals-told',
    says: 'a refusal has the right status, says in its body what is wrong, and is reported',
    run: async (t, scene) => {
      for (const { says, bytes, status = 400, text = /^Failed to parse request: \S.*\n$/ } of refusedRequests) {
        const client = await scene.connect();
        const reported = scene.refused.length;
        void client.write(bytes);
        const answer = await client.answer();
        t.equal(answer.status, status, says);
        t.match(answer.body.toString(), text);
        t.equal(answer.header('content-type'), 'text/plain');
        t.equal(answer.header('connection'), 'close');
        t.equal(scene.refused.length, reported + 1, 'once');
      }
    },
  },
  {
    name: 'refuses-version-2',
    says: 'a version other than 1.0 and 1.1 is answered 505, or 400 where the version decides how to parse',
    run: async (t, scene) => {
      for (const version of ['2.0', '1.2', '3.0', '0.9']) {
        const client = await scene.connect();
        void client.write(head('GET', '/', [], version));
        t.match(String((await client.answer()).status), /^(505|400)$/, version);
        await client.closed();
      }
      t.equal(scene.handler.count, 0);
    },
  },
  {
    name: 'refusal-arrives',
    says: 'a refusal reaches a client that goes on sending (RFC 9112 §9.6)',
    run: async (t, scene) => {
      for (const start of [
        'nonsense\r\n\r\n',
        head('POST', '/', ['Host: a', 'Host: b', 'Content-Length: 9999999']),
        head('POST', '/', ['Transfer-Encoding: gzip, chunked']),
      ]) {
        const client = await scene.connect();
        client.pause();
        void client.write(start);
        await settled(() => scene.refused.length);
        for (let i = 0; i < 20; i++) await client.write(Buffer.alloc(10_000, 'x'));
        await settled(() => scene.edge.connections);
        client.resume();
        t.match(String((await client.answer()).status), /^(400|501)$/);
      }
      t.equal(scene.handler.count, 0);
    },
  },
];
