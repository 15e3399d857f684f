/** Bodies of publishes and other requests to the control port, with holds of every kind that may get the items. */
import { readAnswers } from '../answers.js';
import { tokenPath } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { deepJson, filters, mutatedBytes, mutatedObject, oddJson, oddNames, oddText, oddValue } from '../odd.js';
import type { Random } from '../random.js';
import { converse, describeBytes, type Heard } from '../steps.js';
import { checkOneAnswer } from './origin-answers.js';

const json = JSON.stringify;
const PATHS = [
  '',
  '/a',
  '/a/b',
  '/a/-',
  '/a/0',
  '/a/01',
  '/a/99999999',
  '/hasOwnProperty/call',
  '/__proto__/x',
  '/constructor/prototype/x',
  '/toString',
  '/a/~2',
  'a',
  '/length',
  '/a/length',
  '/b',
];

/** One operation of RFC 6902, or nearly. */
function operation(random: Random): string {
  return mutatedObject(random, [
    ['op', json(random.pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'copy', '_get', 'ADD', '__proto__']))],
    ['path', json(random.once(6) ? `/${random.pick(oddNames)}` : random.pick(PATHS))],
    ['from', json(random.pick(PATHS))],
    ['value', random.once(3) ? oddJson(random) : '0'],
  ]);
}

function patch(random: Random): string {
  if (random.once(5)) {
    const doubling = random.list(5, 60, (n) => `{"op":"copy","from":"","path":"/c${n}"}`);
    return `[{"op":"replace","path":"","value":{"a":"${'p'.repeat(random.size(1_000))}"}},${doubling.join(',')}]`;
  }
  return `[${random.list(0, 6, () => operation(random)).join(',')}]`;
}

const bins = ['"!!"', '"YQ=="', '"YQ"', '""', '1'];

const stanzas = [
  '<message><body>a</body></message>',
  '<message to="a@b"/><message/>',
  '<!DOCTYPE a [<!ENTITY b "c">]><message>&b;</message>',
  `${'<a>'.repeat(5_000)}${'</a>'.repeat(5_000)}`,
  '<message',
  '<iq type="get"/>',
  '',
  '</message>',
  '<message xmlns:a="b" a:to="c" a:to="d"/>',
];

/** The formats of an item. */
export function formats(random: Random): string {
  const text = () => json(random.once(3) ? oddText(random) : 'content');
  const wanted = random.once(3)
    ? [['content-filters', json(random.list(0, 4, () => random.pick(filters)))] as const]
    : [];
  const action = random.once(4)
    ? [['action', json(random.pick(['send', 'hint', 'close', 'refresh', 'SEND', '']))] as const]
    : [];
  const response = mutatedObject(random, [
    ...action,
    ['code', random.pick(['200', '200', '404', '204', '304', '999', '100', '1e3'])],
    ['reason', json(random.once(2) ? 'OK' : oddText(random))],
    [
      'headers',
      random.one(
        () =>
          mutatedObject(random, [
            ['X-A', text()],
            ['Content-Length', '"5"'],
            ['Grip-Hold', '"stream"'],
          ]),
        () =>
          json([
            ['X', oddText(random)],
            ['Transfer-Encoding', 'chunked'],
          ]),
      ),
    ],
    ...wanted,
    random.one<readonly [string, string]>(
      () => ['body', text()],
      () => ['body-bin', random.pick(bins)],
      () => ['body-patch', patch(random)],
    ),
  ]);
  const stream = mutatedObject(random, [
    ...action,
    ...wanted,
    random.once(3) ? ['content-bin', random.pick(bins)] : ['content', text()],
  ]);
  const message = mutatedObject(random, [
    ...action,
    ...wanted,
    ['type', json(random.pick(['text', 'binary', 'ping', 'pong', 'close', '']))],
    ['code', random.pick(['1000', '1005', '1006', '0', '65535', '65536', '-1', '999', '4999'])],
    ['reason', text()],
    random.once(3) ? ['content-bin', random.pick(bins)] : ['content', text()],
  ]);
  const request = mutatedObject(random, [
    ...action,
    ...wanted,
    ['method', json(random.pick(['POST', 'PUT', 'CONNECT', 'get', 'a b', '']))],
    ['path', json(random.pick(['/a', '?a', '', 'a', '/..', '/%2e%2e/x', '/\r\nX: 1', oddText(random)]))],
    [
      'headers',
      mutatedObject(random, [
        ['X-A', text()],
        ['Host', '"x"'],
        ['Webhook-Id', '"x"'],
      ]),
    ],
    random.once(3) ? ['body-bin', random.pick(bins)] : ['body', text()],
  ]);
  const stanza = mutatedObject(random, [...action, ...wanted, ['content', json(random.pick(stanzas))]]);
  return mutatedObject(random, [
    ['http-response', response],
    ['http-stream', stream],
    ['ws-message', message],
    ...(random.once(3) ? [['http-request', request] as const] : []),
    ...(random.once(5) ? [['xmpp-stanza', stanza] as const] : []),
  ]);
}

/** An item on the channel of a case, or nearly. */
export function item(random: Random, token: string): string {
  const members: [string, string][] = [
    random.once(8)
      ? [
          'channels',
          json(
            random.list(0, random.pick([2, 3, 1_100]), () => (random.once(4) ? oddText(random).slice(0, 9) : token)),
          ),
        ]
      : ['channel', json(random.once(6) ? oddText(random) : token)],
    ['formats', formats(random)],
  ];
  if (random.once(8)) members.push(['deliver', random.pick(['"one"', '"one"', '"all"', '1', 'null'])]);
  if (random.once(6)) members.push(['version', random.pick(['1', '2', '-1', '9007199254740992', '"1"', '1.5'])]);
  if (random.once(12)) members.push(['version-epoch', json(oddText(random))]);
  if (random.once(2)) members.push(['id', json(random.pick(['1', '2', '3', oddText(random)]))]);
  if (random.once(3)) members.push(['prev-id', json(random.pick(['1', '2', '', oddText(random)]))]);
  if (random.once(3))
    members.push([
      'meta',
      mutatedObject(random, [
        ['user', json(oddText(random))],
        ['__proto__', '"x"'],
        ['a', json('%(user)s'.repeat(random.int(0, 100)))],
      ]),
    ]);
  if (random.once(8)) members.push(['size', random.pick(['1', '-1', '1e99', '"1"', '0.5'])]);
  if (random.once(8)) members.push(['no-seq', random.pick(['true', 'false', '1', 'null'])]);
  return mutatedObject(random, members);
}

function body(random: Random, token: string): Buffer {
  const text = random.one(
    () => `{"items":[${random.list(1, 4, () => item(random, token)).join(',')}]}`,
    () => `{"items":[${random.list(1, 4, () => item(random, token)).join(',')}]}`,
    () => `{"items":[${random.list(1, 4, () => item(random, token)).join(',')}]}`,
    () => `{"items":${oddJson(random)}}`,
    () => oddJson(random),
    () =>
      `{"items":[{"channel":${json(token)},"formats":{"http-response":{"body-patch":[{"op":"add","path":"/a","value":${deepJson(random.pick([100, 40_000, 200_000]), true)}}]}}}]}`,
    () =>
      `{"items":[${random.list(1, 400, () => json({ channel: token, formats: { 'http-stream': { content: '' } } })).join(',')}]}`,
  );
  const bytes = Buffer.from(text);
  return random.once(8) ? mutatedBytes(random, bytes) : bytes;
}

/** A request to the control port, in bytes. */
function controlRequest(random: Random, token: string): Buffer {
  const content = body(random, token);
  const odd = random.once(8);
  const path = odd
    ? random.pick([
        '/',
        '/publish',
        '/recover/',
        '/nodes',
        `/channels/${token}`,
        `/channels/${token}/items`,
        '/channels/%',
        '/channels/%ff',
        '/connections/x',
        '//',
        '/publish/?x',
        '*',
        'http://x/publish/',
      ])
    : '/publish/';
  const method = odd ? random.pick(['GET', 'DELETE', 'PUT', 'HEAD', 'OPTIONS', 'POST', 'CONNECT', 'TRACE']) : 'POST';
  const length = random.once(20)
    ? random.pick(['-1', `${content.length + 1}`, '0', '1e3', '99999999999', ''])
    : `${content.length}`;
  const more = random.once(6)
    ? [
        `${random.pick(['Accept', 'Content-Type', 'Expect', 'Origin', 'Host', 'Content-Encoding', 'Connection', 'Upgrade'])}: ${random.once(2) ? 'application/json' : oddValue(random)}`,
      ]
    : [];
  return Buffer.concat([
    Buffer.from(
      [
        `${method} ${path} HTTP/1.1`,
        'Host: localhost',
        `Content-Length: ${length}`,
        'Connection: close',
        ...more,
        '',
        '',
      ].join('\r\n'),
      'latin1',
    ),
    content,
  ]);
}

const HOLDS: Readonly<Record<string, (token: string, names: string) => string>> = {
  poll: (token, names) =>
    `HTTP/1.1 200 OK\r\nGrip-Hold: response\r\nGrip-Timeout: 1\r\nContent-Type: application/json\r\nGrip-Channel: ${token}${names}\r\nContent-Length: 7\r\n\r\n{"a":1}`,
  stream: (token, names) =>
    `HTTP/1.1 200 OK\r\nGrip-Hold: stream\r\nGrip-Channel: ${token}${names}\r\nContent-Length: 4\r\n\r\nopen`,
};

async function play(
  fixture: Fixture,
  token: string,
  hold: string,
  answer: string,
  requests: readonly Buffer[],
): Promise<string[]> {
  fixture.origin.plan(token, { answer: () => [Buffer.from(answer, 'latin1')] });
  const { node } = fixture;
  const path = tokenPath(random0(token) ? '/f/' : '/h/', token);
  const client = converse(
    node.port('clients'),
    [Buffer.from(`GET ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`)],
    { limit: 2_500, quiet: hold === 'stream' ? 400 : 1_500 },
  );
  await new Promise((resolve) => setTimeout(resolve, 60));
  const complaints: string[] = [];
  const publish = async (request: Buffer): Promise<Heard> =>
    converse(node.port('control'), [request], { limit: 10_000, quiet: 3_000 });
  for (const request of requests) {
    const { bytes, ended, timedOut } = await publish(request);
    const { answers, fault } = readAnswers(bytes, ended === 'fin', [
      request.toString('latin1', 0, 4) === 'HEAD' ? 'HEAD' : '',
    ]);
    if (fault !== undefined) complaints.push(`the control port answers with ${fault}`);
    if (answers.length > 1) complaints.push(`${answers.length} answers of the control port to one request`);
    if (answers.some(({ status }) => status === 500 || status > 503))
      complaints.push(`the control port answers ${answers[0]?.status}`);
    if (timedOut) complaints.push('a request to the control port did not end');
  }
  const heard = await client;
  return [...complaints, ...checkOneAnswer(heard.bytes, heard.ended === 'fin', 'GET')];
}

/** A choice that the token alone makes, so that a case is the same whenever it is played. */
const random0 = (token: string) => Number(token.slice(token.indexOf('-') + 1)) % 2 === 0;

function make(random: Random, token: string): Case {
  const hold = random.pick(Object.keys(HOLDS));
  const names =
    random.list(0, 4, () => `; filter=${random.pick(filters)}`).join('') + (random.once(3) ? '; prev-id=1' : '');
  const answer = (HOLDS[hold] as (token: string, names: string) => string)(token, names);
  const requests = random.list(1, 4, () => controlRequest(random, token));
  return {
    text: `${hold} ${names}, then ${requests.map(describeBytes).join(' and ')}`,
    play: (fixture) => play(fixture, token, hold, answer, requests),
  };
}

/** Publishes, and what else the control port is asked. */
export const publishes: Kind = { name: 'publishes', together: 12, make };
