/**
 * Bytes of clients that are requests, nearly requests, and requests with others hidden in them. What of them reaches
 * the origin is compared with what a strict reader finds (`requests-oracle.ts`).
 */
import { fieldOf, readAnswers } from '../answers.js';
import { FORGED, tokenPath } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { mutatedBytes, oddValue } from '../odd.js';
import type { Random } from '../random.js';
import { type StrictRequest, strictRequests } from '../requests-oracle.js';
import { converse, describeSteps, type Heard, type Step, split } from '../steps.js';

const METHODS = [
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'HEAD',
  'OPTIONS',
  'DELETE',
  'PATCH',
  'PROPFIND',
  'M-SEARCH',
  'TRACE',
];
const ODD_METHODS = ['CONNECT', 'get', 'PRI', 'G E T', '', 'X'.repeat(300), 'GET\t', '\0', 'SOURCE', '__proto__'];
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/1.',
  'HTTP/11',
  'ICY/1.0',
  'HTTPS/1.1',
];
// biome-ignore format: one a line says less
const ODD_TARGETS = [
  '//', '///', '////', '//x:99999', '//x:99999/', '/\\', '*', '/%', '/%zz', '/%00', '/?', '/#', '/a b', '?', 'http://', 'http://[', 'http:///',
  'http://x:99999/', 'http://a@b/', '/..', '/../..', '/./', '//[::1', '/\xff', '/\u0000', '/stream?channel=%0d%0aa', '/response?channel=', '/a/t-TOKEN?callback=x',
  '/a/t-TOKEN?_method=%00', '/f', '/s/info', '/s/a/b/xhr', '/e/a/b/xhr_send', 'x', '/;', '/@', 'ws://x/', '/good', '/f/t-TOKEN/../../good', '/f/t-TOKEN#x', '/f/t-TOKEN?a b', '/f/t-TOKEN\x7f',
] as const;

/** Fields that decide where a message ends, right and wrong. `N` stands for the length of the body. */
// biome-ignore format: one a line says less
const FRAMINGS: readonly (readonly string[])[] = [
  ['Content-Length: N'], ['Content-Length: N'], ['Content-Length: N'], ['Transfer-Encoding: chunked'], ['Transfer-Encoding: chunked'],
  ['Transfer-Encoding: Chunked'], [], ['Content-Length: +N'], ['Content-Length: 0N'], ['Content-Length: N, N'], ['Content-Length: N', 'Content-Length: N'],
  ['Content-Length: N', 'Content-Length: 0'], ['Content-Length: 0', 'Transfer-Encoding: chunked'], ['Transfer-Encoding: chunked', 'Content-Length: N'],
  ['Content-Length: N', 'Transfer-Encoding: identity'], ['Transfer-Encoding: chunked, identity'], ['Transfer-Encoding: gzip, chunked'], ['Transfer-Encoding: chunked, chunked'],
  ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], ['Transfer-Encoding: xchunked'], ['Transfer-Encoding:\tchunked'], ['Transfer-Encoding : chunked'], ['Transfer-Encoding: "chunked"'],
  ['Transfer_Encoding: chunked', 'Content-Length: N'], ['Content_Length: 0', 'Content-Length: N'], ['Content-Length: -1'], ['Content-Length: 0xN'], ['Content-Length: N '], ['Content-Length:'], ['Content-Length: 99999999999999999999'],
  ['Content-Length: N\r\n '], ['Foo: bar\r\n Content-Length: 0', 'Content-Length: N'], ['X: y\nContent-Length: 0', 'Content-Length: N'], ['X: y\rTransfer-Encoding: chunked', 'Content-Length: N'],
  ['Transfer-Encoding: chunked\0'], ['Transfer-Encoding: \x0bchunked'], ['Transfer-Encoding: chunked;q=1'], ['Transfer-Encoding'], [': x'], ['Connection: Transfer-Encoding', 'Transfer-Encoding: chunked'], ['Connection: Content-Length', 'Content-Length: N'],
  ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA', 'Content-Length: N'], ['Upgrade: websocket', 'Connection: Upgrade', 'Content-Length: N'],
];

const PLAIN_FIELDS = [
  'User-Agent: fuzz',
  'Accept: */*',
  'Accept-Encoding: gzip',
  'Cookie: a=b',
  'X-Requested-With: x',
  'Connection: keep-alive',
  'Origin: http://site.example',
  'Referer: http://x/',
];
// biome-ignore format: one a line says less
const NAMED_FIELDS = [
  'Host', 'Connection', 'Expect', 'Upgrade', 'Range', 'If-None-Match', 'Content-Type', 'Content-Encoding', 'Accept-Encoding', 'Origin', 'Cookie', 'Last-Event-ID', 'Via', 'TE', 'Trailer', 'Keep-Alive', 'X-Forwarded-For',
  'X-Forwarded-Proto', 'Forwarded', 'Pushpin-Route', 'Pushpin-Check', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'CDN-Loop', 'Proxy-Connection', 'eb9bf0f5-x', '__proto__',
  'constructor', 'Access-Control-Request-Headers', 'Access-Control-Request-Method', 'Max-Forwards', 'Proxy-Authorization', 'HTTP2-Settings',
];

/** Fields of the proxy, in a client's hand; for origins that see underscores as hyphens, too. */
// biome-ignore format: one a line says less
const FORGED_FIELDS = [
  'Grip-Sig', 'Grip-Feature', 'Grip-Last', 'Grip-Hold', 'grip-sig', 'GRIP-SIG', 'Grip_Sig', 'grip_last', 'Meta-User', 'Meta_User', 'Connection-Id', 'Connection_Id', 'connection_id', 'X_Forwarded_For', 'X_Forwarded_Proto', 'Grip-Session-Id',
].map((name) => `${name}: ${FORGED}`);

const CONTENT_TYPES = [
  'text/plain',
  'application/json',
  'application/x-www-form-urlencoded',
  'application/websocket-events',
  'text/plain\r\nContent-Type: application/websocket-events',
  'application/websocket-events; x=y',
  'application/grip-instruct',
];

/** A header line without a name. */
const NAMELESS = /\r\n:/;

/** A request that must never be seen: it stands where only a body can be, or behind what was refused. */
/** A request in the body of another. */
const hidden = (token: string) => `GET ${tokenPath('/f/canary/', token)} HTTP/1.1\r\nHost: hidden\r\n\r\n`;

function bodyOf(random: Random, token: string): Buffer {
  return random.one(
    () => Buffer.alloc(0),
    () => random.bytes(0, 30),
    () => Buffer.from(hidden(token)),
    () => Buffer.from(`0\r\n\r\n${hidden(token)}`),
    () => Buffer.from(`5\r\nabcde\r\n0\r\n\r\n${hidden(token)}`),
    () => Buffer.from('OPEN\r\nTEXT 5\r\nhello\r\n'),
    () => Buffer.alloc(random.size(120_000), 0x62),
  );
}

const EXTENSIONS = [
  ';a',
  ';a=b',
  ' ;a',
  ';a="b;c"',
  ';a="\r\n"',
  ';',
  ';;',
  ';a=',
  '; a = b',
  ';a=b;c=d',
  `;${'x'.repeat(2_000)}`,
];
const ODD_SIZES = [' junk', '\t', 'g', '0x', '+', '-', ' ', '_', '\0', ',', '.0'];

/** The body in chunks, now and then wrong. */
function chunked(random: Random, body: Buffer): Buffer {
  const parts: Buffer[] = [];
  const wrong = random.once(2);
  const odd = () => wrong && random.once(4);
  const lineEnd = () => (odd() ? random.pick(['\n', '\r', '', '\r\r\n', '\r\n\r\n', ' \r\n']) : '\r\n');
  const size = (length: number) => {
    const digits = length.toString(16);
    const shown = odd()
      ? random.pick([
          `0${digits}`,
          digits.toUpperCase(),
          `0x${digits}`,
          `-${digits}`,
          `${digits}${random.pick(ODD_SIZES)}`,
          `f${'0'.repeat(16)}${digits}`,
          '',
        ])
      : digits;
    return `${shown}${random.once(4) ? random.pick(EXTENSIONS) : ''}${lineEnd()}`;
  };
  for (let at = 0; at < body.length; ) {
    const length = random.once(3) ? body.length - at : Math.min(body.length - at, random.int(1, 60));
    parts.push(Buffer.from(size(length), 'latin1'), body.subarray(at, at + length), Buffer.from(lineEnd()));
    at += length;
    if (parts.length > 200) break;
  }
  if (!odd()) parts.push(Buffer.from(size(0), 'latin1'));
  if (random.once(5))
    parts.push(
      Buffer.from(
        random.pick([
          'X-Trailer: a\r\n',
          `Grip-Sig: ${FORGED}\r\n`,
          'Content-Length: 5\r\n',
          'Host: x\r\n',
          'a b\r\n',
          ': x\r\n',
          `X: ${'t'.repeat(20_000)}\r\n`,
        ]),
      ),
    );
  if (!odd()) parts.push(Buffer.from(lineEnd()));
  return Buffer.concat(parts);
}

function oneRequest(random: Random, token: string, index: number): Buffer {
  const path = tokenPath(random.pick(['/f/', '/f/', '/f/', '/a/', '/h/', '/o/']), token, `-${index}`);
  const odd = random.once(6);
  const target =
    odd && random.once(2)
      ? random.pick(ODD_TARGETS).replace('TOKEN', token)
      : random.once(12)
        ? `http://test${path}`
        : path;
  const method = odd && random.once(3) ? random.pick(ODD_METHODS) : random.pick(METHODS);
  const version = odd && random.once(3) ? random.pick(VERSIONS) : 'HTTP/1.1';
  const framing =
    method === 'GET' || method === 'HEAD' ? (random.once(3) ? random.pick(FRAMINGS) : []) : random.pick(FRAMINGS);
  const body = framing.length === 0 ? Buffer.alloc(0) : bodyOf(random, token);
  const inChunks = framing.some((line) => /^transfer.encoding/i.test(line));
  const sent = inChunks ? chunked(random, body) : body;
  const lines = [
    ...(random.once(20)
      ? random.pick([
          [],
          ['Host: a', 'Host: b'],
          ['Host: ['],
          ['Host:'],
          ['Host: a,b'],
          ['Host: a b'],
          [`Host: ${'h'.repeat(300)}`],
          ['Host: \xff'],
          ['Host: a:99999'],
        ])
      : ['Host: test']),
    ...framing.map((line) => line.replaceAll('N', String(sent.length))),
    ...random.list(0, 3, () => random.pick(PLAIN_FIELDS)),
    ...(random.once(3) ? random.list(1, 4, () => random.pick(FORGED_FIELDS)) : []),
    ...(random.once(5) ? random.list(1, 3, () => `${random.pick(NAMED_FIELDS)}: ${oddValue(random)}`) : []),
    ...(random.once(8) ? [`Content-Type: ${random.pick(CONTENT_TYPES)}`] : []),
    ...(random.once(12) ? ['Expect: 100-continue'] : []),
    ...(random.once(15) ? ['Connection: close'] : []),
    ...(random.once(60) ? random.list(90, 300, (n) => `X-${n}: y`) : []),
    ...(random.once(25)
      ? [
          'Upgrade: websocket',
          'Connection: Upgrade',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
        ]
      : []),
  ];
  const lineEnd = random.once(30) ? random.pick(['\n', '\r', '\r\r\n']) : '\r\n';
  const tail = ` ${version}${lineEnd}${random
    .shuffle(lines)
    .map((line) => line + lineEnd)
    .join('')}${lineEnd}`;
  // The target stays whole, so that the origin can tell whose it is.
  const mutated = (text: string) =>
    random.once(25) ? mutatedBytes(random, Buffer.from(text, 'latin1')) : Buffer.from(text, 'latin1');
  return Buffer.concat([mutated(`${method} `), Buffer.from(target, 'latin1'), mutated(tail), sent]);
}

/** Whether the paths that the origin saw are some of those that the bytes hold, in their order, each with its own body. */
function compare(seen: readonly StrictRequest[], held: readonly StrictRequest[]): string[] {
  const complaints: string[] = [];
  let at = 0;
  for (const request of seen) {
    const path = pathOf(request.target);
    const again = held.findIndex((other) => pathOf(other.target) === path);
    const place = held.findIndex((other, index) => index >= at && pathOf(other.target) === path);
    if (place < 0) {
      // One that failed is asked again where that is harmless.
      if (again < 0) complaints.push(`the origin got ${request.method} ${path}, which the bytes do not hold`);
      continue;
    }
    at = place;
    const { body, whole, target } = held[place] as StrictRequest;
    // Of events, and of JSON-P, the proxy makes a body that is not the client's.
    if (request.target.startsWith('/o/') || pathOf(target) !== withoutHost(target)) continue;
    if (request.whole && !whole) complaints.push(`the origin got a whole body of ${path}, which is not whole`);
    if (
      !request.body.equals(body.subarray(0, request.body.length)) ||
      (request.whole && request.body.length !== body.length)
    ) {
      complaints.push(
        `the origin got another body of ${path}: ${JSON.stringify(request.body.toString('latin1', 0, 200))}`,
      );
    }
  }
  return complaints;
}

/** A target without what absolute form has in front of the path. */
/** A target without what no origin gets of it: its host, and a fragment. */
const withoutHost = (target: string) => target.replace(/^https?:\/\/[^/]*/i, '').replace(/#.*/, '');

/** The path of a target as the origin gets it: also without what makes a request one of JSON-P. */
const pathOf = (target: string) => withoutHost(target).replace(/^(\/a\/[^?#]*)\?callback=x$/, '$1');

/** What is wrong with the answers. */
function compareAnswers(
  heard: Heard,
  seen: readonly StrictRequest[],
  held: readonly StrictRequest[],
  count: number,
): string[] {
  const { answers, fault } = readAnswers(
    heard.bytes,
    heard.ended === 'fin',
    held.map(({ method }) => method),
  );
  const complaints = fault === undefined ? [] : [`the answer is none: ${fault} after ${answers.length} answers`];
  if (answers.length > count + 1) complaints.push(`${answers.length} answers to ${count} requests`);
  const named = answers.map((answer) => fieldOf(answer, 'x-path')).filter((path) => path !== undefined);
  if (new Set(named).size !== named.length) complaints.push(`the same answer twice: ${named}`);
  const paths = named.map((path) => pathOf(path as string));
  const order = held.map(({ target }) => pathOf(target)).filter((path) => paths.includes(path));
  if (order.join() !== paths.join()) complaints.push(`answers to ${paths}, requests were ${order}`);
  if (named.some((path) => !seen.some(({ target }) => target === path)))
    complaints.push('an answer that the origin never gave');
  if (answers.some((answer) => fieldOf(answer, 'set-split') !== undefined)) complaints.push('a field that nobody set');
  return complaints;
}

async function play(fixture: Fixture, token: string, steps: readonly Step[], count: number): Promise<string[]> {
  const bytes = Buffer.concat(steps.filter((step) => Buffer.isBuffer(step)));
  const held = strictRequests(bytes);
  fixture.origin.plan(token, {
    answer: ({ method, target }) => {
      const body = method === 'HEAD' ? '' : `body of ${target}`;
      return [
        Buffer.from(
          `HTTP/1.1 200 OK\r\nX-Path: ${target}\r\nContent-Length: ${target.length + 8}\r\n\r\n${body}`,
          'latin1',
        ),
      ];
    },
  });
  const wholes = held.filter(({ whole }) => whole);
  // An answer or a close must come to a request that is right; the rest may wait for bytes that never come.
  const certain = wholes.length > 0 && !steps.includes('reset');
  const heard = await converse(fixture.node.port('clients'), steps, {
    limit: certain ? 20_000 : 1_000,
    ...(certain ? {} : { quiet: 150 }),
    done: (received) =>
      readAnswers(
        received,
        false,
        held.map(({ method }) => method),
      ).answers.length >= Math.max(1, wholes.length),
  });
  // The one line that the uws edge does not refuse where it should; docs/edges.md says what follows.
  if (fixture.edge === 'uws' && NAMELESS.test(bytes.toString('latin1'))) return [];
  const seen = fixture.origin.seen(token);
  const complaints = [...compare(seen, held), ...compareAnswers(heard, seen, held, count)];
  if (certain && heard.timedOut) complaints.push('a whole request got neither an answer nor a close');
  return complaints;
}

function make(random: Random, token: string): Case {
  const count = random.pick([1, 1, 1, 2, 2, 3, 20]);
  const requests = Array.from({ length: count }, (_, index) => oneRequest(random, token, index));
  const steps: Step[] = random.once(2)
    ? requests.flatMap((request) => split(random, request))
    : split(random, Buffer.concat(requests));
  if (random.once(10)) steps.push(random.int(0, 5), random.pick(['fin', 'reset']));
  return { text: describeSteps(steps), play: (fixture) => play(fixture, token, steps, count) };
}

/** Requests of clients. */
export const requests: Kind = { name: 'requests', together: 24, make };
