/** Bytes that a hostile origin answers with: heads, framings, interim answers, early ends. */
import { fieldOf, readAnswers } from '../answers.js';
import { tokenPath } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { mutatedBytes, oddValue } from '../odd.js';
import type { Random } from '../random.js';
import { converse, describeSteps, type Step, split } from '../steps.js';

/** A field that only a split answer would have. */
const SPLIT = 'Set-Split: 1';
const CODES = ['200', '200', '200', '201', '204', '206', '304', '301', '404', '500', '503', '299', '599'];
const ODD_CODES = [
  '000',
  '1',
  '99',
  '100',
  '101',
  '102',
  '103',
  '150',
  '199',
  '600',
  '999',
  '1000',
  '20',
  '2000',
  'abc',
  '',
  '-1',
  '2e2',
  '+200',
  '0200',
  ' 200',
];
const REASONS = ['OK', '', 'Not Found'];

/** Reasons that must not become more than a reason. Latin-1; `č` and `Ċ` end in the bytes of CR and LF where they are cut to one. */
// biome-ignore format: one a line says less
const oddReasons = [
  Buffer.from('Trouvé').toString('latin1'), 'Trouv\xe9', Buffer.from(`\u010d\u010a${SPLIT}\u010d\u010a`).toString('latin1'), `\r${SPLIT}`, 'a\0b', '\x01\x02\x7f', '\xff\xfe', 'x'.repeat(20_000), '\t', 'OK ', `%0d%0a${SPLIT}`,
];

// biome-ignore format: one a line says less
const FRAMINGS: readonly (readonly string[])[] = [
  ['Content-Length: N'], ['Content-Length: N'], ['Transfer-Encoding: chunked'], ['Transfer-Encoding: chunked'], ['Connection: close'], [], ['Content-Length: N', 'Content-Length: N'], ['Content-Length: N', 'Content-Length: 1'],
  ['Content-Length: N', 'Transfer-Encoding: chunked'], ['Content-Length: -1'], ['Content-Length: +N'], ['Content-Length: N, N'], ['Content-Length: 99999999999999999999'], ['Content-Length:'], ['Content-Length: 5'], ['Content-Length: 0'],
  ['Transfer-Encoding: gzip, chunked'], ['Transfer-Encoding: identity'], ['Transfer-Encoding: chunked, chunked'], ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], ['Transfer-Encoding : chunked'], ['Transfer_Encoding: chunked', 'Content-Length: N'],
  ['Connection: Content-Length', 'Content-Length: N'], ['Connection: Transfer-Encoding', 'Transfer-Encoding: chunked'], ['Upgrade: websocket', 'Connection: Upgrade', 'Content-Length: N'],
];

// biome-ignore format: one a line says less
const NAMES = [
  'Content-Type', 'Set-Cookie', 'Location', 'Date', 'Server', 'Via', 'Trailer', 'Connection', 'Keep-Alive', 'Upgrade', 'Alt-Svc', 'ETag', 'Content-Encoding', 'Content-Range', 'Accept-Ranges', 'Vary', 'Proxy-Connection', 'WWW-Authenticate',
  'Access-Control-Allow-Origin', '__proto__', 'constructor', 'X_Y', 'x'.repeat(500), 'Sec-WebSocket-Accept', 'Sec-WebSocket-Extensions', 'Sec-WebSocket-Protocol', 'Expect', 'TE', 'Link',
];

const ODD_LINES = [
  ': x',
  'x',
  ' x: folded',
  'a b: c',
  'a\0: b',
  'a\r: b',
  '\xe9: x',
  `X: y\r ${SPLIT}`,
  'X: \x7f',
  '"x": y',
  'X:y:z',
  'X :y',
];

function fields(random: Random): string[] {
  return [
    ...random.list(0, 3, () => `${random.pick(NAMES)}: ${random.once(2) ? 'plain' : oddValue(random)}`),
    ...(random.once(12) ? [random.pick(ODD_LINES)] : []),
    ...(random.once(40) ? random.list(100, 3_000, (n) => `X-${n}: ${'z'.repeat(n % 50)}`) : []),
  ];
}

function chunked(random: Random, body: string): string {
  let text = '';
  for (let at = 0; at < body.length; ) {
    const length = Math.min(body.length - at, random.int(1, 20_000));
    const size = random.once(15)
      ? random.pick(['', '-1', '0x1', 'g', `${length.toString(16)} x`, 'ffffffffffffffff', '0'])
      : length.toString(16);
    text += `${size}${random.once(10) ? ';a=b' : ''}\r\n${body.slice(at, at + length)}${random.once(25) ? random.pick(['', '\n', 'xx']) : '\r\n'}`;
    at += length;
  }
  return `${text}${random.once(8) ? '' : '0\r\n'}${random.once(10) ? `X-Trailer: ${oddValue(random)}\r\n` : ''}${random.once(8) ? '' : '\r\n'}`;
}

/** One interim answer. */
function interim(random: Random): string {
  const code = random.pick(['100', '102', '103', '103', '103', '101', '199']);
  return `HTTP/1.1 ${code} ${random.once(4) ? random.pick(oddReasons) : 'Early'}\r\n${random.once(2) ? `Link: </${random.int(0, 9)}>\r\n` : ''}${random.once(8) ? `${fields(random).join('\r\n')}\r\n` : ''}\r\n`;
}

/** The head and body of an answer, as the bytes of an origin. Used for instructs too. */
export function hostileAnswer(random: Random, more: readonly string[] = [], content?: string): string {
  const code = random.once(8) ? random.pick(ODD_CODES) : random.pick(CODES);
  const reason = random.once(4) ? random.pick(oddReasons) : random.pick(REASONS);
  const version = random.once(25)
    ? random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'ICY', 'http/1.1', 'HTTP/1.1 ', ''])
    : 'HTTP/1.1';
  const body =
    content ??
    random.one(
      () => '',
      () => 'body',
      () => 'b'.repeat(random.size(200_000)),
      () => 'HTTP/1.1 200 OK\r\nX-In-Body: 1\r\nContent-Length: 0\r\n\r\n',
    );
  const framing = random.once(3) ? random.pick(FRAMINGS) : random.pick(FRAMINGS.slice(0, 5));
  const sent = framing.some((line) => line.startsWith('Transfer')) ? chunked(random, body) : body;
  const lines = random.shuffle([
    ...framing.map((line) => line.replaceAll('N', `${sent.length}`)),
    ...fields(random),
    ...more,
  ]);
  const gap = random.once(40) ? random.pick(['', '  ', '\t']) : ' ';
  return `${version}${gap}${code}${reason === '' && random.once(2) ? '' : ` ${reason}`}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${sent}`;
}

/** The steps of an origin that answers so, and may stop anywhere. */
export function hostileSteps(random: Random, answer: string): Step[] {
  const before = random.once(5) ? random.list(1, random.pick([1, 3, 300]), () => interim(random)).join('') : '';
  const after = random.once(12)
    ? random.pick(['junk', '\r\n', 'HTTP/1.1 200 OK\r\nX-Behind: 1\r\nContent-Length: 0\r\n\r\n', '\0'])
    : '';
  const whole = Buffer.from(before + answer + after, 'latin1');
  const bytes = random.once(15) ? mutatedBytes(random, whole) : whole;
  const cut = random.once(8) ? bytes.subarray(0, random.int(0, bytes.length)) : bytes;
  const steps = split(random, cut);
  if (random.once(4)) steps.push(random.pick(['fin', 'fin', 'reset'] as const));
  return steps;
}

/** What is wrong with what one request got, whatever its origin did. */
export function checkOneAnswer(bytes: Buffer, ended: boolean, method: string): string[] {
  const { answers, fault } = readAnswers(bytes, ended, [method]);
  const complaints = fault === undefined ? [] : [`the answer is none: ${fault}`];
  if (answers.length > 1)
    complaints.push(`${answers.length} answers to one request: ${JSON.stringify(bytes.toString('latin1', 0, 400))}`);
  if (answers.some((answer) => fieldOf(answer, 'set-split') !== undefined))
    complaints.push('a field that nobody set: the answer was split');
  if (answers.some(({ interim: count }) => count > 400)) complaints.push('interim answers without end');
  return complaints;
}

async function play(
  fixture: Fixture,
  token: string,
  method: string,
  path: string,
  steps: readonly Step[],
): Promise<string[]> {
  fixture.origin.plan(token, { answer: () => steps });
  const body = method === 'POST' ? 'Content-Length: 4\r\n\r\nsent' : '\r\n';
  const request = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n${body}`);
  const heard = await converse(fixture.node.port('clients'), [request], { limit: 20_000 });
  const complaints = checkOneAnswer(heard.bytes, heard.ended === 'fin', method);
  if (heard.timedOut)
    complaints.push(`the request did not end; so far ${JSON.stringify(heard.bytes.toString('latin1', 0, 300))}`);
  return complaints;
}

function make(random: Random, token: string): Case {
  const method = random.pick(['GET', 'GET', 'GET', 'HEAD', 'POST']);
  const path = tokenPath(
    random.pick(['/f/', '/f/', '/h/', '/a/']),
    token,
    random.pick(['', '', '?callback=x', '?_callback=f&_method=POST']),
  );
  const steps = hostileSteps(random, hostileAnswer(random));
  return {
    text: `${method} ${path} answered with ${describeSteps(steps)}`,
    play: (fixture) => play(fixture, token, method, path, steps),
  };
}

/** Answers of origins. */
export const originAnswers: Kind = { name: 'origin-answers', together: 24, make };
