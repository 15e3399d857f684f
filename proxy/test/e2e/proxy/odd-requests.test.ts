/**
 * What clients may send in any number of variants leaves nothing behind: after thousands of requests that differ in all
 * that they may differ in, the heap is where it was.
 */
import { writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Child } from '../../kit/child.js';
import { type Holdfast, newDirectory, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

/** Requests of each kind and round. */
const MANY = 300;

/** Rounds before the heap is measured first: what is made once is made by then. */
const WARM = 2;

/** Rounds between the two measurements. */
const ROUNDS = 4;

/** Bytes that a heap may differ by, whatever happened. What is lost for each request of a kind must be less than 1 KB. */
const NOISE = 1_000_000;

/** Loaded into the process before Holdfast: tells the size of its heap, after a collection, on a signal. */
const METER = `
const { setFlagsFromString } = require('node:v8');
setFlagsFromString('--expose-gc');
const gc = require('node:vm').runInNewContext('gc');
process.on('SIGUSR2', async () => {
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise(setImmediate);
  }
  process.stderr.write('heap ' + process.memoryUsage().heapUsed + ' bytes\\n');
});
`;

async function heapOf(child: Child): Promise<number> {
  const count = () => child.stderr.split(' bytes\n').length;
  const before = count();
  child.signal('SIGUSR2');
  await until('the size of the heap', () => count() > before);
  return Number(/heap (\d+) bytes\n$/.exec(child.stderr)?.[1]);
}

interface Odd {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  /** The client goes as soon as the request is held. */
  readonly leaves?: boolean;
}

/** By what it differs: the request of that number. */
const kinds: Readonly<Record<string, (i: number) => Odd>> = {
  'a Host with a bracket that does not close': (i) => ({
    path: '/alone',
    headers: { Host: i % 2 === 0 ? '[' : `[::${i}` },
  }),
  'a Host that is none': (i) => ({ headers: { Host: ['[]', 'a:b', 'a[', `h${i}:1:2`][i % 4] } }),
  'another Host': (i) => ({ headers: { Host: `h${i}.example:${i + 1}` } }),
  'a Host without a route': (i) => ({ headers: { Host: `only-${i}.test`, 'X-Route': 'none' }, path: `/none/${i}` }),
  'another path and query': (i) => ({ path: `/p${i}/${'x'.repeat(i % 100)}?q${i}=${i}` }),
  'another method': (i) => ({ method: `M${i}` }),
  'another User-Agent, Origin, cookie': (i) => ({
    headers: {
      'User-Agent': `ua ${i}`,
      Origin: `https://o${i}.example`,
      Cookie: `c${i}=${i}`,
      'X-Forwarded-For': `${i}`,
    },
  }),
  'another field': (i) => ({ headers: { [`X-F${i}`]: 'x', Connection: `X-F${i}` } }),
  'another callback': (i) => ({ path: `/j?callback=f${i}&_headers=%7B%22X-H${i}%22:%22v%22%7D` }),
  'a callback that is none': (i) => ({ path: `/j?callback=${i}` }),
  'another SockJS session that is not there': (i) => ({
    method: 'POST',
    path: `/sock/0/s${i}/xhr_send`,
    body: '["x"]',
  }),
  'another SockJS session that the origin refuses': (i) => ({ method: 'POST', path: `/sock/0/o${i}/xhr` }),
  'another channel, and a client that leaves': (i) => ({ path: `/hold?c${i}`, leaves: true }),
  'a handshake that the origin refuses': (i) => ({
    path: `/ws${i}`,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': `p${i}`,
      Origin: `https://w${i}.example`,
    },
  }),
};

function send(holdfast: Holdfast, agent: Agent, { leaves, body, ...odd }: Odd): Promise<void> {
  const { hostname, port } = new URL(holdfast.clients);
  return new Promise((resolve) => {
    const asked = request({ hostname, port, agent, path: '/', ...odd }, (answer: IncomingMessage) => {
      if (leaves) asked.destroy();
      answer.resume().on('close', resolve);
    });
    // A handshake that is refused, or a malformed request, ends its connection.
    asked.on('error', () => resolve());
    asked.end(body);
  });
}

/** Sends all kinds, a few at a time. */
async function round(holdfast: Holdfast, agent: Agent, first: number): Promise<void> {
  for (const odd of Object.values(kinds)) {
    for (let i = 0; i < MANY; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, j) => send(holdfast, agent, odd(first + i + j))));
    }
  }
}

async function start(t: Test, edge: string): Promise<{ holdfast: Holdfast; agent: Agent }> {
  const origin = await startOrigin(t, (asked, response) => {
    const [path, channel] = (asked.url ?? '').split('?');
    if (path === '/hold') response.writeHead(200, { 'Grip-Hold': 'stream', 'Grip-Channel': `${channel}` });
    response.end('ok');
  });
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'meter.cjs'), METER);
  const holdfast = await startHoldfast(t, {
    complaints: /^(?:heap \d+ bytes\n)*$/,
    directory,
    routes: [
      `*,aco ${origin.target},over_http`,
      `*,path_beg=/sock,sockjs=/sock ${origin.target},over_http`,
      // A target without a connection that could be used again.
      `*,path_beg=/alone ${origin.target.replace('127.0.0.1', 'localhost')}`,
      'only test',
    ],
    settings: { edge, log_level: 'error', subscription_linger: 0, client_maxconn: 10_000 },
    env: { NODE_OPTIONS: `--require ${join(directory, 'meter.cjs')} --max-old-space-size=96` },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  t.teardown(() => agent.destroy());
  return { holdfast, agent };
}

for (const edge of ['node', 'uws']) {
  t.test(`requests that differ in all that they may leave nothing behind, with edge: ${edge}`, async (t) => {
    const { holdfast, agent } = await start(t, edge);
    for (let n = 0; n < WARM; n++) await round(holdfast, agent, n * MANY);
    const quiet = async () => {
      await until('all holds to end', async () => (await holdfast.metric('holdfast_holds{kind="stream"}')) === 0);
      return heapOf(holdfast.child);
    };
    const before = await quiet();
    for (let n = WARM; n < WARM + ROUNDS; n++) await round(holdfast, agent, n * MANY);
    let after = await quiet();
    // What is remembered for some seconds, such as a session that has ended, is forgotten then.
    if (after - before > NOISE) {
      await until('the heap to be where it was', async () => {
        // Three collections each: without a pause the process would do nothing else meanwhile.
        await delay(500);
        after = await heapOf(holdfast.child);
        return after - before < NOISE;
      }).catch(() => {});
    }
    t.comment(`${before} bytes before, ${after} after`);
    const lost = Math.round((after - before) / (ROUNDS * MANY));
    t.ok(after - before < NOISE, `${after - before} bytes: ${lost} for each request, if they are of one kind`);
  });
}
