/** Clauses of the `Edge` contract: requests that are refused, so that nothing ambiguous reaches an origin. */
import { head } from '../../kit/clients/raw-client.js';
import { settled, until } from '../../kit/until.js';
import type { Clause } from '../clause.js';
import type { ReadBody } from '../scripted-handler.js';

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
    name: 'method-case',
    says: 'a method in lower case',
    bytes: head('get', '/'),
    status: 501,
    text: /^Method not supported: get\.\n$/,
  },
  {
    name: 'method-joined',
    says: 'a method with the end of a body before it',
    bytes: head('abcGET', '/'),
    status: 501,
    text: /^Method not supported: abcGET\.\n$/,
  },
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
    name: 'length-inexact',
    says: 'a Content-Length that a number cannot hold exactly (RFC 9110 §8.6)',
    bytes: head('POST', '/', ['Content-Length: 9007199254740993']),
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
  { name: 'length-hex', says: 'a Content-Length in hex', bytes: `${head('POST', '/', ['Content-Length: 0x3'])}abc` },
  {
    name: 'length-words',
    says: 'a Content-Length of two words',
    bytes: `${head('POST', '/', ['Content-Length: 3 0'])}abc`,
  },
  {
    name: 'length-space',
    says: 'a space between Content-Length and its colon',
    bytes: `${head('POST', '/', ['Content-Length : 3'])}abc`,
  },
  {
    name: 'length-twice',
    says: 'the same Content-Length twice',
    bytes: `${head('POST', '/', ['Content-Length: 3', 'Content-Length: 3'])}abc`,
  },
  {
    name: 'length-wraps',
    says: 'a Content-Length that is another number in 64 bits',
    bytes: `${head('POST', '/', ['Content-Length: 18446744073709551619'])}abc`,
  },
  {
    name: 'length-bytes',
    says: 'a Content-Length beside a byte above 0x7f',
    bytes: `${head('POST', '/', ['Content-Length: \xa03'])}abc`,
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
  {
    name: 'coding-parameter',
    says: 'chunked with a parameter',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked;q=1'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-empty',
    says: 'an empty Transfer-Encoding before another one',
    bytes: `${head('POST', '/', ['Transfer-Encoding:', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-folded',
    says: 'a Transfer-Encoding on a folded line',
    bytes: `${head('POST', '/', ['Transfer-Encoding:', ' chunked'])}0\r\n\r\n`,
  },
  {
    name: 'coding-space',
    says: 'a space between Transfer-Encoding and its colon',
    bytes: `${head('POST', '/', ['Transfer-Encoding : chunked'])}0\r\n\r\n`,
  },
  {
    name: 'coding-quoted',
    says: 'chunked in quotes',
    bytes: `${head('POST', '/', ['Transfer-Encoding: "chunked"'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-bytes',
    says: 'chunked beside a byte above 0x7f',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked\xff'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  { name: 'name-space', says: 'a space before the colon (RFC 9112 §5.1)', bytes: head('GET', '/', ['X-A : 1']) },
  { name: 'name-empty', says: 'an empty header name', bytes: head('GET', '/', [': 1']) },
  { name: 'name-missing', says: 'a header line without a colon', bytes: head('GET', '/', ['X-A']) },
  { name: 'value-nul', says: 'a NUL in a value (RFC 9110 §5.5)', bytes: head('GET', '/', ['X-A: a\0b']) },
  { name: 'value-cr', says: 'a bare CR in a value', bytes: head('GET', '/', ['X-A: a\rb']) },
  { name: 'value-del', says: 'a DEL in a value', bytes: head('GET', '/', ['X-A: a\x7fb']) },
  { name: 'value-control', says: 'a control character in a value', bytes: head('GET', '/', ['X-A: a\x01b']) },
  {
    name: 'fold-first',
    says: 'a folded line right below the request line',
    bytes: 'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
  },
  { name: 'line-tab', says: 'tabs in the request line', bytes: 'GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n' },
  { name: 'line-space', says: 'a space in the target', bytes: head('GET', '/a b') },
  { name: 'http2', says: 'the preface of HTTP/2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  {
    name: 'proxy-1',
    says: 'a line of the PROXY protocol, version 1',
    bytes: `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${head('GET', '/')}`,
  },
  {
    name: 'proxy-2',
    says: 'a head of the PROXY protocol, version 2',
    bytes: `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02${head('GET', '/')}`,
  },
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
];

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

/** Chunks that are none (RFC 9112 §7.1), as another parser may read them. */
const malformedChunks: readonly (readonly [name: string, says: string, body: string])[] = [
  ['word', 'a word behind the size', '3 junk\r\nabc\r\n0\r\n\r\n'],
  ['size-lf', 'a size line that ends in a bare LF', '3\nabc\r\n0\r\n\r\n'],
  ['size-cr', 'a size line that ends in a bare CR', '3\rabc\r\n0\r\n\r\n'],
  ['extension-lf', 'an extension that ends in a bare LF', '3;a\nabc\r\n0\r\n\r\n'],
  ['data-lf', 'data that end in a bare LF', '3\r\nabc\n0\r\n\r\n'],
  ['data-more', 'other bytes in place of the line end behind the data', '3\r\nabcXX0\r\n\r\n'],
  ['last-empty', 'an empty line in place of the last chunk', '3\r\nabc\r\n\r\n\r\n'],
  ['size-empty', 'a size that is empty', '\r\nabc\r\n0\r\n\r\n'],
  ['size-g', 'a size with a letter that is no digit', 'g\r\n0123456789abcdef\r\n0\r\n\r\n'],
  ['size-colon', 'a size with a colon', ':\r\n0123456789\r\n0\r\n\r\n'],
  ['size-plus', 'a size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
  ['size-minus', 'a negative size', '-3\r\nabc\r\n0\r\n\r\n'],
  ['size-prefix', 'a size with a prefix', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['size-space', 'a space before the size', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['size-huge', 'a size beyond every number', 'fffffffffffffffff3\r\nabc\r\n0\r\n\r\n'],
  ['size-wraps', 'a size that is another number in 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['trailer', 'a trailer that is no field', '3\r\nabc\r\n0\r\nX Y\r\n\r\n'],
];

const chunks = malformedChunks.map(
  ([name, says, body]): Clause => ({
    name: `chunks-${name}`,
    says: `${says}: such chunks are never a whole body, and nothing sent after them is served`,
    run: async (t, fixture) => {
      const start = head('POST', '/', ['Transfer-Encoding: chunked']);
      const next = head('GET', '/smuggled');
      for (const pieces of [[`${start}${body}${next}`], [start, body, next], [...`${start}${body}${next}`]]) {
        const client = await fixture.connect();
        let isClosed = false;
        void client.closed().then(() => {
          isClosed = true;
        });
        const paths: string[] = [];
        const bodies: Promise<ReadBody>[] = [];
        const serve = () => {
          for (const taken of fixture.handler.waiting.splice(0)) {
            paths.push(taken.request.path);
            if (taken.request.body !== undefined) bodies.push(taken.read());
          }
        };
        for (const piece of pieces) await client.write(piece).then(serve);
        await until(() => {
          serve();
          return isClosed;
        });
        t.notOk(paths.includes('/smuggled'));
        for (const read of bodies) t.equal((await read).end, 'abort');
      }
    },
  }),
);

/** Requests that are refused. */
export const malformedClauses: readonly Clause[] = [
  ...refusals,
  ...chunks,
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
