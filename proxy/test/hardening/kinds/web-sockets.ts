/**
 * WebSockets with raw frames of both sides, control messages of origins, and events of origins that are asked over
 * HTTP.
 */
import { readAnswers } from '../answers.js';
import { acceptFor, frameFaults, randomFrames } from '../frames.js';
import { type Plan, tokenPath } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import {
  deepJson,
  filters,
  mutatedBytes,
  mutatedObject,
  oddJson,
  oddNames,
  oddNumbers,
  oddText,
  oddValue,
} from '../odd.js';
import type { Random } from '../random.js';
import type { StrictRequest } from '../requests-oracle.js';
import { converse, describeBytes, describeSteps, type Step, split } from '../steps.js';
import { formats } from './publishes.js';

const json = JSON.stringify;

interface Handshake {
  readonly head: Buffer;
  readonly compressed: boolean;
}

function handshake(random: Random, path: string): Handshake {
  const compressed = random.once(3);
  const odd = random.once(6);
  const lines = [
    'Host: test',
    'Upgrade: websocket',
    `Connection: ${odd && random.once(4) ? random.pick(['upgrade, close', 'keep-alive', 'Upgrade, X', '']) : 'Upgrade'}`,
    `Sec-WebSocket-Version: ${odd && random.once(4) ? random.pick(['8', '13, 8', '', '14']) : '13'}`,
    `Sec-WebSocket-Key: ${odd && random.once(4) ? random.pick(['', 'short', 'AAAAAAAAAAAAAAAAAAAAAA', '!']) : 'dGhlIHNhbXBsZSBub25jZQ=='}`,
    ...(compressed
      ? [
          `Sec-WebSocket-Extensions: ${random.pick(['permessage-deflate', 'permessage-deflate; client_max_window_bits', 'permessage-deflate; server_max_window_bits=8', 'permessage-deflate; x', 'grip', 'grip; message-prefix=""', oddValue(random).replace(/[\r\n\0]/g, '')])}`,
        ]
      : []),
    ...(random.once(4) ? [`Sec-WebSocket-Protocol: ${random.pick(['a', 'a, b', '', ',', 'x y'])}`] : []),
    ...(odd && random.once(3) ? [`Origin: ${oddValue(random)}`] : []),
    ...(odd && random.once(5) ? ['Content-Length: 5'] : []),
  ];
  return { head: Buffer.from([`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n'), 'latin1'), compressed };
}

/** One control message, or nearly. */
function control(random: Random, token: string): string {
  const channel = () => json(random.once(4) ? oddText(random) : token);
  const text = random.one(
    () =>
      mutatedObject(random, [
        ['type', '"subscribe"'],
        ['channel', channel()],
        ['filters', json(random.list(0, 7, () => random.pick(filters)))],
      ]),
    () =>
      mutatedObject(random, [
        ['type', '"subscribe"'],
        ['channel', channel()],
      ]),
    () =>
      mutatedObject(random, [
        ['type', '"unsubscribe"'],
        ['channel', channel()],
      ]),
    () =>
      mutatedObject(random, [
        ['type', '"set-meta"'],
        ['name', json(random.pick(oddNames))],
        ['value', json(oddText(random))],
      ]),
    () =>
      mutatedObject(random, [
        ['type', '"keep-alive"'],
        ['content', json(oddText(random))],
        [
          'timeout',
          random.pick([
            '1',
            '0',
            '-1',
            '1e99',
            ...oddNumbers.filter((n) => /^\d+$/.test(n) && (n === '0' || !n.startsWith('0'))),
          ]),
        ],
        ['message-type', json(random.pick(['text', 'binary', 'ping', 'pong', 'x']))],
        ['mode', json(random.pick(['idle', 'interval', 'x']))],
      ]),
    () =>
      mutatedObject(random, [
        ['type', '"send-delayed"'],
        ['content', json(oddText(random))],
        ['timeout', random.pick(['1', '0', '2147483647'])],
        ['content-bin', '"!"'],
      ]),
    () => '{"type":"flush-delayed"}',
    () => (random.once(4) ? '{"type":"detach"}' : '{"type":"session","id":"s"}'),
    () => oddJson(random),
    () => deepJson(random.pick([100, 20_000]), true),
  );
  return `c:${random.once(8) ? mutatedBytes(random, Buffer.from(text)).toString() : text}`;
}

const says = (token: string) => (random: Random) =>
  random.one(
    () => `m:${oddText(random)}`,
    () => control(random, token),
    () => control(random, token),
    () => oddText(random),
  );

/** A publish to whoever the case has subscribed. */
async function publish(fixture: Fixture, channel: string, body: string): Promise<string[]> {
  const { status } = await fixture.node.post('/publish/', `{"items":[{"channel":${json(channel)},"formats":${body}}]}`);
  return [200, 400, 413].includes(status) ? [] : [`a publish was answered ${status}`];
}

/**
 * Where in the bytes the refusal of uWebSockets.js begins, or their end. The library parses what comes behind a request while
 * it is answered, and writes its refusal into that answer before it closes; docs/edges.md says so.
 */
export function ownRefusal(bytes: Buffer): number {
  const at = bytes.lastIndexOf('HTTP/1.1 ');
  const refuses = at > 0 && bytes.toString('latin1', at).endsWith('<i>uWebSockets/20 Server</i>');
  return refuses ? at : bytes.length;
}

/** Plays a client against an origin's plan, and looks at the frames that the client gets. */
async function playClient(
  fixture: Fixture,
  token: string,
  { head, compressed }: Handshake,
  steps: readonly Step[],
  items: readonly string[],
  plan: Plan,
): Promise<string[]> {
  fixture.origin.plan(token, plan);
  const talk = converse(fixture.node.port('clients'), [head, 40, ...steps], { limit: 5_000, quiet: 250 });
  const complaints: string[] = [];
  for (const [index, item] of items.entries()) {
    await new Promise((resolve) => setTimeout(resolve, index === 0 ? 80 : 5));
    complaints.push(...(await publish(fixture, token, item)));
  }
  const { bytes, ended } = await talk;
  const whole = fixture.edge === 'uws' ? bytes.subarray(0, ownRefusal(bytes)) : bytes;
  const { answers, fault } = readAnswers(whole, ended === 'fin' && whole.length === bytes.length, ['GET']);
  if (fault !== undefined) complaints.push(`the handshake's answer is none: ${fault}`);
  if (answers[0]?.status !== 101 && answers.length > 2) complaints.push(`${answers.length} answers to one handshake`);
  if (answers[0]?.status === 101)
    complaints.push(
      ...frameFaults(answers[0].body, { masked: false, compressed }).map((text) => `to the client: ${text}`),
    );
  return complaints;
}

/** The key of a handshake, as the origin got it. */
const keyOf = ({ fields }: StrictRequest) => fields.find(([name]) => name === 'sec-websocket-key')?.[1] ?? '';

function makeDirect(random: Random, token: string): Case {
  const path = tokenPath('/f/', token);
  const opening = handshake(random, path);
  const clientFrames = Buffer.concat(randomFrames(random, true));
  const steps = split(
    random,
    clientFrames.subarray(0, random.once(8) ? random.int(0, clientFrames.length) : clientFrames.length),
  );
  if (random.once(5)) steps.push(random.pick(['fin', 'reset'] as const));
  const extension = random.pick([
    'grip',
    'grip',
    'grip',
    '',
    'permessage-deflate',
    'grip; message-prefix="x:"',
    'grip, permessage-deflate',
    'unknown',
    'grip; message-prefix=',
  ]);
  const accept = random.once(15) ? () => random.pick(['', 'wrong', 'x'.repeat(3_000)]) : acceptFor;
  const more = random.once(8)
    ? random.pick([
        'Sec-WebSocket-Protocol: never-offered\r\n',
        `X-Odd: ${oddValue(random)}\r\n`,
        'Content-Length: 3\r\n',
        'Transfer-Encoding: chunked\r\n',
        'Connection: close\r\n',
      ])
    : '';
  const status = random.once(10)
    ? random.pick([
        '101 \u00c4\u008d\u00c4\u008aSet-Split: 1',
        '101 \x01',
        '101',
        '200 OK',
        '403 \u00c4\u008d\u00c4\u008aSet-Split: 1',
        '403 No\x01',
        '0',
        '999 x',
      ])
    : '101 Switching Protocols';
  const replies = split(random, Buffer.concat(randomFrames(random, false, says(token))));
  if (random.once(5)) replies.push(random.pick(['fin', 'reset'] as const));
  const items = random.list(0, 3, () => formats(random));
  const plan = (heard: Buffer[]): Plan => ({
    answer: (request) => [
      Buffer.from(
        `HTTP/1.1 ${status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(keyOf(request))}\r\n${extension === '' ? '' : `Sec-WebSocket-Extensions: ${extension}\r\n`}${more}\r\n`,
        'latin1',
      ),
      ...replies,
    ],
    frames: (bytes) => heard.push(bytes),
  });
  return {
    text: `${describeBytes(opening.head)} ${describeSteps(steps)}, origin: ${status} ${extension} ${more} ${describeSteps(replies)}, items ${items.join('; ').slice(0, 2_000)}`,
    play: async (fixture) => {
      const heard: Buffer[] = [];
      const complaints = await playClient(fixture, token, opening, steps, items, plan(heard));
      const faults = frameFaults(Buffer.concat(heard), { masked: true, compressed: extension.includes('deflate') });
      return [...complaints, ...faults.map((text) => `to the origin: ${text}`)];
    },
  };
}

/** Frames of clients and of origins, control messages among them. */
export const webSockets: Kind = { name: 'web-sockets', together: 16, make: makeDirect };

/** One event, or nearly. */
function event(random: Random, token: string): string {
  const type = random.once(10)
    ? random.pick(['open', 'OPENX', '', 'TEXT ', '__proto__'])
    : random.pick(['TEXT', 'TEXT', 'TEXT', 'BINARY', 'PING', 'PONG', 'CLOSE', 'DISCONNECT', 'OPEN']);
  const content = Buffer.from(
    type === 'CLOSE'
      ? random.pick(['', '\x03', '\x03\xe8', '\x03\xe8bye', '\x00\x00', '\xff\xff', '\x03\xed'])
      : says(token)(random),
    type === 'CLOSE' ? 'latin1' : 'utf8',
  ).toString('latin1');
  if (content === '' && random.once(2)) return `${type}\r\n`;
  const length = random.once(15)
    ? random.pick(['-1', '0x1', 'zz', 'ffffffffffffffff', `${content.length}`, ''])
    : content.length.toString(16);
  return `${type} ${length}\r\n${content}${random.once(20) ? random.pick(['', '\n', 'x\r\n']) : '\r\n'}`;
}

const EVENT_FIELDS = [
  'Keep-Alive-Interval',
  'Content-Bytes-Accepted',
  'Content-Bytes-Replayed',
  'Set-Meta-User',
  'Set-Meta-__proto__',
  'Set-Meta-',
  'Sec-WebSocket-Extensions',
  'Sec-WebSocket-Protocol',
  'Grip-Hold',
  'Grip-Channel',
  'Connection-Id',
  'Grip-Status',
];

function eventAnswer(random: Random, token: string, isOpening: boolean): Buffer {
  const body =
    (isOpening && !random.once(8) ? 'OPEN\r\n' : '') + random.list(0, 6, () => event(random, token)).join('');
  const status = random.once(10)
    ? random.pick([
        '101 Switching',
        '204 No Content',
        '403 No\x01',
        '200 \xc4\x8d\xc4\x8aSet-Split: 1',
        '500 x',
        '099 x',
        '304 x',
      ])
    : '200 OK';
  const lines = [
    `Content-Type: ${random.once(15) ? random.pick(['text/plain', 'application/websocket-events; x', '']) : 'application/websocket-events'}`,
    `Content-Length: ${random.once(25) ? body.length + 1 : body.length}`,
    ...(isOpening && !random.once(4) ? ['Sec-WebSocket-Extensions: grip'] : []),
    ...random.list(
      0,
      2,
      () => `${random.pick(EVENT_FIELDS)}: ${random.once(2) ? random.pick(oddNumbers) : oddValue(random)}`,
    ),
  ];
  const bytes = Buffer.from(
    `HTTP/1.1 ${status}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`,
    'latin1',
  );
  return random.once(15) ? mutatedBytes(random, bytes) : bytes;
}

const END = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/websocket-events\r\nContent-Length: 12\r\n\r\nDISCONNECT\r\n',
);

function makeEvents(random: Random, token: string): Case {
  const path = tokenPath('/o/', token);
  const opening = handshake(random, path);
  const clientFrames = Buffer.concat(randomFrames(random, true));
  const steps = split(random, clientFrames);
  if (random.once(5)) steps.push(random.pick(['fin', 'reset'] as const));
  const answers = random.list(1, 6, (index) => eventAnswer(random, token, index === 0));
  const items = random.list(0, 3, () => formats(random));
  return {
    text: `${describeBytes(opening.head)} ${describeSteps(steps)}, answers ${answers.map(describeBytes).join(' | ')}, items ${items.join('; ').slice(0, 2_000)}`,
    play: (fixture) =>
      playClient(fixture, token, opening, steps, items, { answer: (_, index) => [answers[index] ?? END] }),
  };
}

/** WebSockets of clients whose origin is asked over HTTP. */
export const events: Kind = { name: 'events', together: 16, make: makeEvents };
