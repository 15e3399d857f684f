/** Messages to the ZeroMQ sockets: packets in both encodings, right and mutated, and bytes that are no ZMTP. */
import { connect } from 'node:net';
import { encodeTnetstring } from '@holdfast/grip';
import * as zeromq from 'zeromq';
import { tokenPath } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { deepJson, mutatedBytes, oddJson, oddNames, oddText } from '../odd.js';
import type { Random } from '../random.js';
import { converse, describeBytes } from '../steps.js';
import { checkOneAnswer } from './origin-answers.js';
import { item } from './publishes.js';

/** A JSON text as a packet in one of the two encodings; what is no JSON goes as it is. */
function packet(random: Random, text: string): Buffer {
  if (random.once(2)) return Buffer.from(`J${text}`);
  try {
    return Buffer.concat([Buffer.from('T'), encodeTnetstring(JSON.parse(text))]);
  } catch {
    return Buffer.from(`T${text}`);
  }
}

const TNETS = [
  '0:~',
  '1:1#',
  '3:1.5^',
  '5:false!',
  '0:]',
  '0:}',
  '99999999999999999999:,',
  '-1:,',
  '3:abc',
  '3:abc,x',
  '1:\xff#',
  '4:1e99^',
  '20:9999999999999999999',
  '4:0:~]',
  '8:1:a,0:~}}',
  '01:a,',
  ':',
  '',
  '4:nan^',
  '3:-0#',
];

function deepTnet(depth: number): string {
  let text = '0:~';
  for (let i = 0; i < depth; i++) text = `${text.length}:${text}]`;
  return text;
}

function message(random: Random, token: string): Buffer {
  const made = random.one(
    () => packet(random, item(random, token)),
    () => packet(random, item(random, token)),
    () => packet(random, oddJson(random)),
    () => Buffer.from(`T${random.pick(TNETS)}`, 'latin1'),
    () => Buffer.from(`T${deepTnet(random.pick([10, 255, 256, 257, 3_000]))}`),
    () =>
      Buffer.from(
        `J{"channel":"${token}","formats":{"http-response":{"body-patch":${deepJson(random.pick([100, 200_000]), true)}}}}`,
      ),
    () => random.bytes(0, 20),
  );
  return random.once(6) ? mutatedBytes(random, made) : made;
}

const METHODS = ['conncheck', 'get-zmq-uris', 'recover', 'publish', 'refresh', '', '__proto__', 'constructor'];

/** A value as a tnetstring, or something in its place when it is too deep for one. */
function encoded(value: unknown): Buffer {
  try {
    return encodeTnetstring(value);
  } catch {
    return Buffer.from(deepTnet(3_000));
  }
}

function call(random: Random, token: string): Buffer {
  const args = random.one(
    () => ({ ids: random.list(0, 5, () => oddText(random)) }),
    () => ({ cid: oddText(random) }),
    () => ({ channel: random.pick(oddNames) }),
    () => JSON.parse(oddJson(random, 1)),
    () => ({ channel: token, formats: { 'http-stream': { content: oddText(random) } } }),
  );
  const made = encoded({ id: random.pick(['1', '', oddText(random)]), method: random.pick(METHODS), args });
  return random.once(4) ? mutatedBytes(random, made) : made;
}

/** What is sent to a socket of the node. */
interface Sending {
  readonly to: 'pull' | 'sub' | 'command' | 'raw';
  readonly parts: readonly Buffer[];
}

async function send(fixture: Fixture, { to, parts }: Sending): Promise<void> {
  const { pull = '', sub = '', command = '' } = fixture.addresses;
  if (to === 'raw') {
    const socket = connect((parts.length % 2 === 0 ? pull : command).replace('ipc://', ''));
    socket.on('error', () => {});
    await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', resolve));
    socket.write(Buffer.concat([...parts]));
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    return;
  }
  const options = { linger: 200, sendTimeout: 500 };
  const socket =
    to === 'pull'
      ? new zeromq.Push(options)
      : to === 'sub'
        ? new zeromq.Publisher(options)
        : new zeromq.Dealer(options);
  socket.connect(to === 'pull' ? pull : to === 'sub' ? sub : command);
  // A subscription takes a moment to reach a publisher.
  if (to === 'sub') await new Promise((resolve) => setTimeout(resolve, 100));
  try {
    await socket.send(to === 'command' ? [Buffer.alloc(0), ...parts] : [...parts]);
  } catch {
    // A socket that does not take it is as good as one that drops it.
  }
  socket.close();
}

async function play(fixture: Fixture, token: string, sendings: readonly Sending[]): Promise<string[]> {
  fixture.origin.plan(token, {
    answer: () => [
      Buffer.from(`HTTP/1.1 200 OK\r\nGrip-Hold: stream\r\nGrip-Channel: ${token}\r\nContent-Length: 4\r\n\r\nopen`),
    ],
  });
  const request = Buffer.from(`GET ${tokenPath('/f/', token)} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
  const client = converse(fixture.node.port('clients'), [request], { limit: 3_000, quiet: 400 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (const sending of sendings) await send(fixture, sending);
  const { bytes, ended } = await client;
  return checkOneAnswer(bytes, ended === 'fin', 'GET');
}

function make(random: Random, token: string): Case {
  const sendings = random.list(1, 5, (): Sending => {
    const to = random.pick(['pull', 'pull', 'sub', 'command', 'command', 'raw'] as const);
    if (to === 'raw')
      return {
        to,
        parts: random.list(1, 2, () =>
          random.one(
            () => random.bytes(0, 100),
            () => Buffer.from('GET / HTTP/1.1\r\n\r\n'),
            () => Buffer.from('ff00000000000000017f0300', 'hex'),
          ),
        ),
      };
    const parts =
      to === 'command'
        ? [call(random, token)]
        : to === 'sub'
          ? [Buffer.from(random.once(4) ? oddText(random) : token), message(random, token)]
          : [message(random, token)];
    return { to, parts: random.once(8) ? [...parts, random.bytes(0, 5)] : parts };
  });
  const text = sendings.map(({ to, parts }) => `${to} ${parts.map(describeBytes).join(' + ')}`).join(' | ');
  return { text, play: (fixture) => play(fixture, token, sendings) };
}

/** Messages to the ZeroMQ sockets. */
export const zeroMq: Kind = { name: 'zero-mq', fixture: 'zeromq', together: 8, make };
