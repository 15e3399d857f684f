/** Tokens of a user that are revoked: on all nodes and workers, and on those that start later. */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import WebSocket from 'ws';
import { type Answer, open } from '../../kit/clients/http-client.js';
import { WsClient } from '../../kit/clients/ws-client.js';
import { type Holdfast, streamItem } from '../../kit/holdfast.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { bearer, now, startSubscribe, token } from './tokens.js';

async function stream(t: Test, node: Holdfast, text: string): Promise<Answer> {
  const stream = await open(t, `${node.clients}/sub?channel=a`, { headers: bearer(text) });
  await stream.until(':\n\n');
  return stream;
}

async function socket(t: Test, node: Holdfast, text: string): Promise<WsClient> {
  const made = new WebSocket(`${node.clients.replace('http', 'ws')}/sub?channel=a`, { headers: bearer(text) });
  t.teardown(() => made.terminate());
  const client = new WsClient(made);
  await new Promise((resolve, reject) => made.once('open', resolve).once('error', reject));
  return client;
}

async function status(node: Holdfast, text: string): Promise<number> {
  const response = await fetch(`${node.clients}/sub?channel=a`, { headers: bearer(text) });
  await response.body?.cancel();
  return response.status;
}

async function revoke(node: Holdfast, body: unknown): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(`${node.control}/tokens/revoke`, { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

/** The processes of the workers. */
const childrenOf = ({ child: { pid } }: Holdfast): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);

const claims = { channels: ['a'] };
const old = { ...claims, iat: now() - 60 };
/** Issued after anything that happens here. */
const renewed = { ...claims, iat: now() + 600 };

t.test('revoked on one node, ended on all, and refused by those that start later', async (t) => {
  const redis = await startRedis(t);
  const settings = { redis_url: redis.url };
  const one = await startSubscribe(t, { settings });
  const two = await startSubscribe(t, { settings: { ...settings, workers: 2 } });
  const ended = [
    await stream(t, one, token({ ...old, sub: 'u' })),
    await stream(t, two, token({ ...claims, sub: 'u' })),
    await stream(t, two, token({ ...old, sub: 'u' })),
  ];
  const closed = [await socket(t, one, token({ ...old, sub: 'u' })), await socket(t, two, token({ ...old, sub: 'u' }))];
  const staying = [
    await stream(t, one, token({ ...old, sub: 'v' })),
    await stream(t, two, token({ ...renewed, sub: 'u' })),
  ];
  t.match(await revoke(one, { sub: 'u' }), { status: 200, answer: { message: 'Revoked', ended: 5, silent: [] } });
  for (const client of ended) t.equal(await client.end(), 'complete', 'the end of a stream, not a break');
  for (const client of closed) t.equal((await client.end()).code, 1008);
  await one.publish(streamItem('a', 'data: 1\n\n'));
  await Promise.all(staying.map((client) => client.until('data: 1\n\n')));
  const late = await startSubscribe(t, { settings });
  for (const node of [one, two, late]) {
    t.equal(await status(node, token({ ...old, sub: 'u' })), 401);
    t.equal(await status(node, token({ ...claims, sub: 'u' })), 401, 'without iat');
    t.equal(await status(node, token({ ...renewed, sub: 'u' })), 200);
    t.equal(await status(node, token({ ...old, sub: 'v' })), 200);
  }
});

t.test('a worker that takes the place of another knows what was revoked', async (t) => {
  const node = await startSubscribe(t, { settings: { workers: 2 } });
  t.match(await revoke(node, { sub: 'u' }), { status: 200, answer: { ended: 0 } });
  const [pid] = childrenOf(node);
  process.kill(pid as number, 'SIGKILL');
  await until('a new worker', () => node.child.stdout.includes('worker serves clients'));
  for (let i = 0; i < 10; i++) t.equal(await status(node, token({ ...old, sub: 'u' })), 401);
});

t.test('what is no revocation is refused', async (t) => {
  const node = await startSubscribe(t);
  for (const body of [
    [],
    {},
    { sub: '' },
    { sub: 5 },
    { sub: 'u', before: 'now' },
    { sub: 'u', before: -1 },
    { sub: 'u', x: 1 },
  ])
    t.match(await revoke(node, body), { status: 400, answer: { code: 'ERR_CONTROL_ARGUMENT' } });
  t.match(await revoke(node, { sub: 'u', before: old.iat }), { status: 200, answer: { before: Number } });
  t.equal(await status(node, token({ ...old, sub: 'u' })), 200, 'issued after that time');
});
