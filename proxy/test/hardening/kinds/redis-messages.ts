/**
 * What others may put into a Redis that nodes share: envelopes on the topics of channels, entries of streams, values
 * of the wrong type, questions and answers between nodes.
 */
import { Redis } from 'ioredis';
import { tokenPath } from '../hostile-origin.js';
import type { Case, Fixture, Kind } from '../kind.js';
import { mutatedBytes, mutatedObject, oddJson, oddNumbers, oddText } from '../odd.js';
import type { Random } from '../random.js';
import { converse, describeBytes } from '../steps.js';
import { checkOneAnswer } from './origin-answers.js';
import { item } from './publishes.js';

/** One command, for the topic and keys of the case's channel. */
type Meddling =
  | { readonly to: 'topic' | 'questions'; readonly message: Buffer }
  | { readonly to: 'stream' | 'meta'; readonly fields: readonly (string | Buffer)[] }
  | { readonly to: 'type' };

/** A message as nodes write them, or nearly. */
function message(random: Random, token: string): string {
  return mutatedObject(random, [
    ['id', JSON.stringify(random.once(2) ? String(random.int(1, 9)) : oddText(random))],
    ['item', item(random, token)],
    [
      'headers',
      mutatedObject(random, [
        ['traceparent', '"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"'],
        ['a', JSON.stringify(oddText(random))],
      ]),
    ],
  ]);
}

function envelope(random: Random, token: string): Buffer {
  const offset = random.once(4) ? random.pick(oddNumbers) : random.int(1, 6);
  const time = random.once(2)
    ? `.00000000000000000000${random.once(2) ? random.pick(oddNumbers) : 1_700_000_000_000_000}`
    : '';
  const position = `${offset}${time} ${random.pick(['epoch', 'epoch', '', oddText(random)])}`;
  const payload = random.one(
    () => message(random, token),
    () => message(random, token),
    () => item(random, token),
    () => oddJson(random),
    () => '',
  );
  const bytes = Buffer.from(random.once(10) ? payload : `${position}\n${payload}`);
  return random.once(5) ? mutatedBytes(random, bytes) : bytes;
}

function question(random: Random): Buffer {
  const text = mutatedObject(random, [
    ['id', JSON.stringify(oddText(random))],
    ['from', JSON.stringify(oddText(random))],
    ['ask', random.pick(['"channel"', '"connection"', '"disconnect"', '"x"'])],
    ['args', oddJson(random)],
  ]);
  return random.once(2) ? mutatedBytes(random, Buffer.from(text)) : Buffer.from(text);
}

function meddle(random: Random, token: string): Meddling {
  return random.one<Meddling>(
    () => ({ to: 'topic', message: envelope(random, token) }),
    () => ({ to: 'topic', message: envelope(random, token) }),
    () => ({ to: 'topic', message: envelope(random, token) }),
    () => ({ to: 'questions', message: question(random) }),
    () => ({
      to: 'stream',
      fields: ['d', random.once(2) ? item(random, token) : oddJson(random), 't', random.pick(oddNumbers)],
    }),
    () => ({
      to: 'meta',
      fields: ['e', random.pick(['epoch', '', oddText(random)]), 's', random.pick(oddNumbers), 'l', oddText(random)],
    }),
    () => ({ to: 'type' }),
  );
}

const connections = new Map<string, Redis>();

/** One connection for each Redis; it goes with the process. */
function redisAt(url: string): Redis {
  const known = connections.get(url);
  if (known !== undefined) return known;
  const redis = new Redis(url, { retryStrategy: () => null, lazyConnect: false });
  redis.on('error', () => {});
  redis.on('end', () => connections.delete(url));
  connections.set(url, redis);
  return redis;
}

async function play(fixture: Fixture, token: string, meddlings: readonly Meddling[]): Promise<string[]> {
  const redis = redisAt(fixture.addresses.redis as string);
  fixture.origin.plan(token, {
    answer: () => [
      Buffer.from(`HTTP/1.1 200 OK\r\nGrip-Hold: stream\r\nGrip-Channel: ${token}\r\nContent-Length: 4\r\n\r\nopen`),
    ],
  });
  const request = Buffer.from(`GET ${tokenPath('/h/', token)} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
  const client = converse(fixture.node.port('clients'), [request], { limit: 3_000, quiet: 500 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const topics = (await redis.call('PUBSUB', 'CHANNELS', 'holdfast*')) as string[];
  const topic = topics.find((name) => name.endsWith(`:c:${token}`));
  const questions = topics.find((name) => name.endsWith('questions'));
  for (const meddling of meddlings) {
    const key = (letter: string) => topic?.replace(`:c:${token}`, `:${letter}:${token}`) ?? `none:${token}`;
    try {
      if (meddling.to === 'topic') await redis.publish(topic ?? 'none', meddling.message);
      else if (meddling.to === 'questions') await redis.publish(questions ?? 'none', meddling.message);
      else if (meddling.to === 'stream') await redis.xadd(key('h'), '*', ...meddling.fields);
      else if (meddling.to === 'meta') await redis.hset(key('m'), ...(meddling.fields as string[]));
      else await redis.set(key('m'), 'not a hash');
    } catch {
      // A command on a key of the wrong type fails here as it does for the node.
    }
  }
  const complaints: string[] = [];
  const { status } = await fixture.node.post(
    '/publish/',
    JSON.stringify({ items: [{ channel: token, formats: { 'http-stream': { content: 'real' } } }] }),
  );
  if (status !== 200 && status !== 503) complaints.push(`a publish was answered ${status}`);
  const { bytes, ended } = await client;
  if (topic !== undefined)
    await redis.del(topic.replace(`:c:${token}`, `:h:${token}`), topic.replace(`:c:${token}`, `:m:${token}`));
  return [...complaints, ...checkOneAnswer(bytes, ended === 'fin', 'GET')];
}

function make(random: Random, token: string): Case {
  const meddlings = random.list(1, 6, () => meddle(random, token));
  const text = meddlings
    .map(
      (one) =>
        `${one.to} ${'message' in one ? describeBytes(one.message) : 'fields' in one ? describeBytes(Buffer.from(one.fields.join(' '))) : ''}`,
    )
    .join(' | ');
  return { text, play: (fixture) => play(fixture, token, meddlings) };
}

/** Messages and values in a shared Redis. */
export const redisMessages: Kind = {
  name: 'redis-messages',
  fixture: 'redis',
  expected: /"part":"backplane".*(?:no position|cannot be read|unreadable)/,
  together: 8,
  make,
};
