/** What clients of SockJS send, over HTTP and in frames, and paths that are nearly theirs. */
import { readAnswers } from '../answers.js';
import { acceptFor, encodeFrame, frameFaults } from '../frames.js';
import { type Plan, SOCKJS_TOKEN } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { deepJson, mutatedBytes, oddJson, oddText } from '../odd.js';
import type { Random } from '../random.js';
import { converse, describeBytes, type Step } from '../steps.js';

const json = JSON.stringify;
const TRANSPORTS = [
  'xhr',
  'xhr',
  'xhr_streaming',
  'eventsource',
  'htmlfile',
  'jsonp',
  'xhr_send',
  'jsonp_send',
  'websocket',
  'nothing',
  '',
];

/** What a client says: a list of strings, or nearly. */
function message(random: Random): Buffer {
  const text = random.one(
    () => json(random.list(0, 5, () => oddText(random))),
    () => json(random.list(0, 5, () => oddText(random))),
    () => oddJson(random),
    () => `[${'"",'.repeat(random.size(30_000))}""]`,
    () => deepJson(random.pick([100, 30_000]), true),
    () => `["${'\\u0000'.repeat(random.size(10_000))}"]`,
    () => json(oddText(random)),
    () => '["a",]',
  );
  return random.once(6) ? mutatedBytes(random, Buffer.from(text)) : Buffer.from(text);
}

interface Ask {
  readonly bytes: Buffer;
  readonly method: string;
}

function ask(random: Random, prefix: string, session: string): Ask {
  const transport = random.pick(TRANSPORTS);
  const sends = transport.endsWith('send');
  const method = random.once(8)
    ? random.pick(['GET', 'PUT', 'OPTIONS', 'HEAD', 'DELETE'])
    : sends || transport.startsWith('xhr')
      ? 'POST'
      : 'GET';
  const path = random.once(10)
    ? random.pick([
        '',
        'info',
        'iframe.html',
        `iframe${'x'.repeat(300)}.html`,
        'websocket',
        '..',
        '/',
        'a/b/',
        '//',
        'a//xhr',
        `${'y'.repeat(5_000)}/z/xhr`,
        'info?x=%00',
        'a/__proto__/xhr',
        'a/constructor/xhr_send',
      ])
    : `srv/${session}/${transport}${random.pick(['', '?c=cb', '?callback=cb', '?c=%3Cscript%3E', '?c=', '?t=1'])}`;
  const content = sends
    ? transport === 'jsonp_send' && random.once(2)
      ? Buffer.from(`d=${encodeURIComponent(message(random).toString())}`)
      : message(random)
    : Buffer.alloc(0);
  const type = random.pick(['text/plain', 'application/x-www-form-urlencoded', 'application/json', '']);
  return {
    method,
    bytes: Buffer.concat([
      Buffer.from(
        `${method} ${prefix}${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${content.length}\r\n\r\n`,
      ),
      content,
    ]),
  };
}

/** The origin's part: an open WebSocket that echoes nothing, or events that open one. */
const plan: Plan = {
  answer: (request) => {
    const key = request.fields.find(([name]) => name === 'sec-websocket-key')?.[1];
    if (request.fields.some(([name, value]) => name === 'content-type' && value === 'application/websocket-events')) {
      const body = request.body.toString('latin1').startsWith('OPEN') ? 'OPEN\r\nTEXT 5\r\nhello\r\n' : '';
      return [
        Buffer.from(
          `HTTP/1.1 200 OK\r\nContent-Type: application/websocket-events\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        ),
      ];
    }
    if (key === undefined) return [Buffer.from('HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n')];
    const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`;
    return [Buffer.concat([Buffer.from(head), encodeFrame({ opcode: 1, payload: Buffer.from('hello') })])];
  },
  frames: () => {},
};

async function play(
  fixture: Fixture,
  asks: readonly Ask[],
  framed: readonly Step[] | undefined,
  path: string,
): Promise<string[]> {
  fixture.origin.plan(SOCKJS_TOKEN, plan);
  const port = fixture.node.port('clients');
  if (framed !== undefined) {
    const head = Buffer.from(
      `GET ${path} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    const { bytes, ended } = await converse(port, [head, 30, ...framed], { limit: 5_000, quiet: 300 });
    const { answers, fault } = readAnswers(bytes, ended === 'fin', ['GET']);
    if (fault !== undefined) return [`the handshake's answer is none: ${fault}`];
    return answers[0]?.status === 101 ? frameFaults(answers[0].body, { masked: false, compressed: false }) : [];
  }
  const outcomes = asks.map(async ({ bytes, method }, index) => {
    await new Promise((resolve) => setTimeout(resolve, 15 * index));
    const heard = await converse(port, [bytes], { limit: 5_000, quiet: 250 });
    const { answers, fault } = readAnswers(heard.bytes, heard.ended === 'fin', [method]);
    if (fault !== undefined) return [`an answer is none: ${fault}`];
    return answers.length > 1 ? [`${answers.length} answers to one request`] : [];
  });
  return (await Promise.all(outcomes)).flat();
}

function make(random: Random, token: string): Case {
  const prefix = random.pick(['/s/', '/e/']);
  const path = `${prefix}srv/${token}/websocket`;
  const inFrames = random.once(3);
  const framed = inFrames
    ? random.list(1, 6, () => encodeFrame({ opcode: random.once(6) ? 2 : 1, payload: message(random), masked: true }))
    : undefined;
  const asks = inFrames ? [] : random.list(1, 8, () => ask(random, prefix, token));
  const text = [...asks.map(({ bytes }) => bytes), ...(framed ?? [])].map(describeBytes).join(' | ');
  return { text: `${path}: ${text}`, play: (fixture) => play(fixture, asks, framed, path) };
}

/** SockJS. */
export const sockJs: Kind = { name: 'sock-js', together: 60, make };
