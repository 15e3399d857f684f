/** What one client may have and do: exact counts under parallel clients, on both edges, and what is refused above them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { type Answer, ask, open } from '../../kit/clients/http-client.js';
import { RawClient } from '../../kit/clients/raw-client.js';
import { openWs } from '../../kit/clients/ws-client.js';
import {
  type Holdfast,
  type HoldfastOptions,
  newDirectory,
  responseItem,
  startHoldfast,
  streamItem,
} from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

const CLIENTS = 50;

const origin = await startOrigin(t, (request, response) => {
  const { url = '/', headers } = request;
  if (url.startsWith('/poll')) response.writeHead(200, responseHold('room')).end('nothing\n');
  else if (url.startsWith('/stream')) response.writeHead(200, streamHold('room')).end('open\n');
  else if (url.startsWith('/user')) {
    const user = `user="${headers['x-user']}"`;
    response.writeHead(200, responseHold('room', { 'Grip-Set-Meta': user })).end();
  } else response.end('plain\n');
});

const edges = ['node', 'uws'] as const;

/** Starts a node with a route for each of these properties. */
function start(t: Test, props: readonly string[], options: HoldfastOptions = {}): Promise<Holdfast> {
  const settings = { log_format: 'json', ...options.settings };
  return startHoldfast(t, { ...options, routes: props.map((some) => `*${some} ${origin.target}`), settings });
}

/** So many clients at once; each answer with its head. */
const many = (t: Test, url: string, headers: Record<string, string> = {}, count = CLIENTS): Promise<Answer>[] =>
  Array.from({ length: count }, () => {
    const answer = open(t, url, { headers });
    // Those that are held when the test ends are cut.
    answer.catch(() => {});
    return answer;
  });

/** Counts the refusals among requests of which the others stay open. */
async function refusals(answers: readonly Promise<Answer>[], expected: number): Promise<Answer[]> {
  const refused: Answer[] = [];
  for (const answer of answers) answer.then((one) => one.status === 429 && refused.push(one)).catch(() => {});
  await until(`${expected} refusals`, () => refused.length === expected);
  return refused;
}

const byStatus = (answers: readonly Answer[], status: number) => answers.filter((one) => one.status === status);

for (const edge of edges) {
  const limits = [',path_beg=/rate,id=api,limit_rate=1/h:7', ',limit_holds=7'];
  const holdfast = await start(t, limits, { settings: { edge } });

  t.test(`${edge}: limit_rate lets exactly so many requests through`, async (t) => {
    const answers = await Promise.all(many(t, `${holdfast.clients}/rate`));
    t.equal(byStatus(answers, 200).length, 7);
    const refused = byStatus(answers, 429);
    t.equal(refused.length, CLIENTS - 7);
    const { headers, reason } = refused[0] as Answer;
    t.equal(reason, 'Too Many Requests');
    t.match(headers['retry-after'], /^3[56]\d\d$/);
    t.match(headers['ratelimit-policy'], '"limit_rate";q=7;w=25200');
    t.match(headers.ratelimit, /^"limit_rate";r=0;t=3[56]\d\d$/);
    t.equal(await holdfast.metric('holdfast_limited_total{limit="limit_rate"}'), CLIENTS - 7);
    const line = await holdfast.record('a refusal', ({ limit }) => limit === 'limit_rate');
    t.match(line, { msg: /request of 127\.0\.0\.1 refused: limit_rate .* is reached/, route: 'api' });
  });

  t.test(`${edge}: limit_holds lets exactly so many be held, and others once those have gone`, async (t) => {
    const polls = many(t, `${holdfast.clients}/poll`);
    const refused = await refusals(polls, CLIENTS - 7);
    t.match(refused[0]?.headers['retry-after'], /^\d+$/);
    await holdfast.holds('response', 7);
    t.equal((await ask(t, holdfast.clients)).status, 200, 'what is not held is not limited');
    await holdfast.publish(responseItem('room', 'item'));
    const answers = await Promise.all(polls);
    t.equal(byStatus(answers, 200).length, 7);
    await holdfast.holds('response', 0);
    const streams = many(t, `${holdfast.clients}/stream`);
    await refusals(streams, CLIENTS - 7);
    await holdfast.holds('stream', 7);
    for (const stream of await Promise.all(streams)) stream.drop();
    await holdfast.holds('stream', 0);
    const next = await open(t, `${holdfast.clients}/stream`);
    t.equal(next.status, 200, 'the places of clients that went away are free');
  });

  t.test(`${edge}: WebSockets are refused before the 101, and share the count of their address`, async (t) => {
    const settings = { edge, client_max_holds_per_address: 3, log_format: 'json' };
    const holdfast = await startHoldfast(t, { routes: ['* test'], settings });
    const url = `${holdfast.clients.replace('http', 'ws')}/ws`;
    const first = await openWs(t, url);
    await Promise.all([openWs(t, url), openWs(t, url)]);
    const refusal = await openWs(t, url).catch((error: Error) => error.message);
    t.equal(refusal, 'Unexpected server response: 429');
    first.socket.close();
    await holdfast.holds('ws', 2);
    t.ok(await openWs(t, url));
  });
}

/** A node behind a trusted proxy, with a route for each kind of key. */
const keyed = await start(
  t,
  [
    ',path_beg=/field,limit_key=header:X-Api-Key,limit_rate=1/h:5',
    ',path_beg=/user,limit_key=user,limit_holds=3',
    ',path_beg=/address,limit_rate=1/h:2',
  ],
  { settings: { trusted_proxies: '127.0.0.1' } },
);

t.test('a key of its own for each value of a field, and for each user', async (t) => {
  for (const key of ['a', 'b', `${'x'.repeat(100)}1`, `${'x'.repeat(100)}2`]) {
    const answers = await Promise.all(many(t, `${keyed.clients}/field`, { 'X-Api-Key': key }, 10));
    t.equal(byStatus(answers, 200).length, 5, key);
  }
  t.notMatch(keyed.child.stdout, /x{50}/, 'the log does not have the values');
  for (const user of ['ann', 'bob']) await refusals(many(t, `${keyed.clients}/user`, { 'X-User': user }, 10), 7);
  await keyed.holds('response', 6);
});

t.test('what a client has counts on when routes are loaded again', async (t) => {
  const directory = newDirectory(t);
  const file = join(directory, 'routes');
  const write = (more: string) => writeFileSync(file, `*,limit_holds=2 ${origin.target}\n${more}`);
  write('');
  const holdfast = await startHoldfast(t, { directory, settings: { log_format: 'json', routesfile: file } });
  await refusals(many(t, `${holdfast.clients}/poll`, {}, 5), 3);
  await holdfast.holds('response', 2);
  write(`other.example ${origin.target}\n`);
  await holdfast.record('a reload', ({ msg }) => /routes/.test(String(msg)) && /2/.test(String(msg)));
  await refusals(many(t, `${holdfast.clients}/poll`, {}, 5), 5);
});

t.test('the address is that of the client behind a trusted proxy; IPv6 by networks of 64 bits', async (t) => {
  const as = (address: string) => ask(t, `${keyed.clients}/address`, { headers: { 'X-Forwarded-For': address } });
  const statuses: number[] = [];
  for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2']) statuses.push((await as(address)).status);
  for (const host of ['1', '2', 'ffff:3']) statuses.push((await as(`2001:db8:1:2::${host}`)).status);
  statuses.push((await as('2001:db8:1:3::1')).status);
  t.strictSame(statuses, [200, 200, 429, 200, 200, 200, 429, 200]);
});

t.test(
  'so many connections of one address are open, and further ones closed, TLS and PROXY protocol included',
  async (t) => {
    const directory = newDirectory(t);
    makeCertificate({ directory, base: 'localhost', names: ['DNS:localhost'] });
    const settings = {
      client_max_per_address: 5,
      http_port: ['127.0.0.1:0', '127.0.0.1:0?proxy_protocol=v1&from=127.0.0.1'],
      https_ports: '127.0.0.1:0',
      tls_certs_dir: directory,
      log_format: 'json',
    };
    const text = Object.entries(settings)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
      .join('');
    const holdfast = await startHoldfast(t, { directory, routes: ['* test'], config: `${text}push_in_http_port: 0\n` });
    const ports = [
      ...holdfast.child.stdout.matchAll(/listening on https?:\/\/127\.0\.0\.1:(\d+)[^"]*\(clients\)/g),
    ].map(([, port]) => Number(port));
    const [plain, proxied, secure] = ports as [number, number, number];
    const connect = (port: number, tls?: object) =>
      RawClient.to(t, { port, ...(tls && { tls: { servername: 'localhost', rejectUnauthorized: false } }) });
    const isOpen = async (client: RawClient, header = '') => {
      void client.write(`${header}GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
      return client.answer().then(
        () => true,
        () => false,
      );
    };
    const first = await connect(plain);
    t.ok(await isOpen(first));
    for (let i = 0; i < 2; i++) t.ok(await isOpen(await connect(plain)));
    for (let i = 0; i < 2; i++) t.ok(await isOpen(await connect(secure, {})));
    t.notOk(await isOpen(await connect(plain)), 'the sixth');
    const header = (host: number) => `PROXY TCP4 192.0.2.${host} 10.0.0.1 1 2\r\n`;
    for (let i = 0; i < 5; i++) t.ok(await isOpen(await connect(proxied), header(1)));
    t.notOk(await isOpen(await connect(proxied), header(1)), 'the sixth of a client behind a load balancer');
    t.ok(await isOpen(await connect(proxied), header(2)), 'another client');
    first.end();
    await first.closed();
    await until('a place', async () => isOpen(await connect(plain)));
  },
);

for (const edge of edges) {
  t.test(`${edge}: so many new connections of one address are taken each second`, async (t) => {
    const settings = { edge, client_accept_rate: 3, log_format: 'json' };
    const holdfast = await startHoldfast(t, { routes: ['* test'], settings });
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, () =>
        ask(t, holdfast.clients).then(
          ({ status }) => status,
          () => 0,
        ),
      ),
    );
    const served = answers.filter((status) => status === 200).length;
    t.ok(served >= 6 && served <= 9, `${served}: twice as many at once, and what a second or less adds`);
    t.ok((await holdfast.metric('holdfast_limited_total{limit="client_accept_rate"}')) >= CLIENTS - 9);
    await holdfast.record('a refusal', ({ limit }) => limit === 'client_accept_rate');
  });
}

t.test('with too little memory new holds get 503, while held ones and publishes go on', async (t) => {
  const settings = { shed_memory: '50%', edge: 'node' };
  const holdfast = await start(t, [''], {
    settings,
    env: { NODE_OPTIONS: '--max-old-space-size=96' },
    manyFiles: true,
  });
  const first = await open(t, `${holdfast.clients}/stream`);
  await holdfast.holds('stream', 1);
  let refused: Answer | undefined;
  while (refused === undefined) {
    const answers = await Promise.all(many(t, `${holdfast.clients}/stream`, { 'X-Weight': 'x'.repeat(12_000) }, 200));
    refused = answers.find(({ status }) => status !== 200);
  }
  t.equal(refused.status, 503);
  t.match(refused.headers['retry-after'], /^\d+$/);
  t.equal((await ask(t, holdfast.clients)).status, 200, 'requests that are not held are served');
  await holdfast.publish(streamItem('room', 'item\n'));
  await first.until('item\n');
  t.ok((await holdfast.metric('holdfast_limited_total{limit="shed_memory"}')) > 0);
});
