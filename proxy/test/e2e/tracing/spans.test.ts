/** Spans by an SDK of OpenTelemetry in real processes: two nodes that share a Redis, an origin that publishes, clients of both. */
import { join } from 'node:path';
import { encodeTnetstring } from '@holdfast/grip';
import t from 'tap';
import * as zeromq from 'zeromq';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startEcho } from '../../kit/echo-fixture.js';
import { type Holdfast, newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { deadPort } from '../../kit/ports.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import type { PrintedSpan } from './print-spans.js';

const PRELOAD = new URL('./print-spans.js', import.meta.url).href;
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

const redis = await startRedis(t);
let publishTo = '';
const origin = await startOrigin(t, async (request, response) => {
  const { url = '', headers } = request;
  if (url === '/stream')
    response.writeHead(200, streamHold('room-7', { 'Grip-Link': '</next>; rel=next' })).end('one ');
  else if (url === '/next') response.end('two');
  else if (url.startsWith('/orders')) {
    // As an instrumented origin does: what it sends on is in the trace that it is asked in.
    const published = await fetch(`${publishTo}/publish/`, {
      method: 'POST',
      headers: { traceparent: String(headers.traceparent), tracestate: 'a=1', baggage: 'user=7' },
      body: JSON.stringify({ items: [streamItem('room-7', 'an order\n')] }),
    });
    response.writeHead(published.status, { Baggage: 'user=7' }).end('ordered');
  } else response.writeHead(503).end();
});
const echo = await startEcho(t, 'direct');
const dead = `127.0.0.1:${await deadPort()}`;
const pull = `ipc://${join(newDirectory(t), 'pull')}`;

function start(
  share: string,
  settings: Readonly<Record<string, string | number>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Holdfast> {
  return startHoldfast(t, {
    settings: { log_format: 'json', trace: 'spans', redis_url: redis.url, redis_prefix: `s${share}`, ...settings },
    routes: [`echo ${echo.target}`, `half,id=half ${dead} ${origin.target}`, `*,id=site ${origin.target}`],
    env: { NODE_OPTIONS: `--import ${PRELOAD}`, SPANS_SHARE: share, ...env },
  });
}

const [one, two] = await Promise.all([start('1', { push_in_spec: pull }), start('1', { workers: 2 })]);
publishTo = one.control;

const spansOf = ({ child }: Holdfast): PrintedSpan[] =>
  child.stdout
    .split('\n')
    .filter((line) => line.startsWith('{"span":') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as PrintedSpan);

function span(holdfast: Holdfast, what: string, matches: (span: PrintedSpan) => boolean): Promise<PrintedSpan> {
  return until(
    `span ${what}`,
    () => spansOf(holdfast).find(matches),
    () => holdfast.child.stdout,
  );
}

const parent = (flags: string) => ({ traceparent: `00-${TRACE}-${SPAN}-${flags}`, tracestate: 'a=1', baggage: 'b=2' });

t.test(
  'one trace from a client’s POST through the origin to the publish, and a link from the delivery elsewhere',
  async (t) => {
    const stream = await open(t, `${two.clients}/stream`);
    await stream.until('one ');
    const held = await span(two, 'of the hold', ({ kind }) => kind === 'SERVER');
    t.match(held, { span: 'GET site', parent: undefined, error: false });
    t.match(held.attributes, { 'http.response.status_code': 200, 'holdfast.hold': 'stream', 'url.path': '/stream' });

    const answer = await ask(t, `${one.clients}/orders?card=1234`, {
      method: 'POST',
      headers: parent('01'),
      body: 'x',
    });
    t.match(answer, { status: 200, text: 'ordered', headers: { baggage: undefined, traceparent: undefined } });
    await stream.until('an order\n');
    t.equal(stream.text, 'one an order\n');

    const server = await span(one, 'of the request', ({ kind, traceId }) => kind === 'SERVER' && traceId === TRACE);
    t.match(server, { span: 'POST site', parent: SPAN, error: false });
    t.equal(server.attributes['url.path'], '/orders', 'without the query');
    const client = await span(one, 'of the origin', ({ kind, traceId }) => kind === 'CLIENT' && traceId === TRACE);
    t.match(client, { span: 'POST site', parent: server.spanId });
    t.match(client.attributes, { 'http.response.status_code': 200, 'server.address': '127.0.0.1' });
    const asked = origin.seen.find(({ url }) => url.startsWith('/orders'));
    t.match(asked?.headers, { traceparent: `00-${TRACE}-${client.spanId}-01`, tracestate: 'a=1', baggage: 'b=2' });
    const producer = await span(one, 'of the publish', ({ kind }) => kind === 'PRODUCER');
    t.match(producer, { span: 'publish', traceId: TRACE, parent: client.spanId });
    const consumer = await span(two, 'of the delivery', ({ kind }) => kind === 'CONSUMER');
    t.match(consumer, { span: 'deliver', parent: undefined, links: [`${TRACE} ${producer.spanId}`] });
    t.not(consumer.traceId, TRACE);
    t.match(consumer.attributes, { 'messaging.destination.name': 'room-7', 'holdfast.receivers': 1 });
    await one.record('of the request', (it) => it.trace_id === TRACE && it.span_id === server.spanId);

    await two.publish({ channel: 'room-7', formats: { 'http-stream': { action: 'hint' } } });
    t.equal(await stream.end(), 'complete');
    const link = await span(two, 'of the link', ({ attributes }) => attributes['url.path'] === '/next');
    t.match(link, { kind: 'CLIENT', parent: undefined, links: [`${held.traceId} ${held.spanId}`] });
    t.equal([...spansOf(one), ...spansOf(two)].filter(({ span: name }) => name.includes('room')).length, 0);
  },
);

t.test('attempts at targets, handshakes of WebSockets, and clients that are gone', async (t) => {
  const half = await ask(t, one.clients, { headers: { Host: 'half' } });
  t.equal(half.status, 503);
  const failed = await span(
    one,
    'of the failure',
    ({ attributes }) => attributes['error.type'] === 'ERR_ORIGIN_CONNECT',
  );
  const next = await span(
    one,
    'of the next',
    ({ kind, parent: of, spanId }) => kind === 'CLIENT' && of === failed.parent && spanId !== failed.spanId,
  );
  t.match([failed.error, next.error], [true, true]);
  const server = await span(one, 'of the request', ({ spanId }) => spanId === failed.parent);
  t.match(server, { span: 'GET half', error: true, attributes: { 'error.type': '503' } });

  const ws = await openWs(t, wsUrl(one.clients), { headers: { Host: 'echo', ...parent('01') } });
  await ws.close(1000);
  const dialed = await span(
    one,
    'of the handshake',
    ({ kind, attributes }) => kind === 'CLIENT' && attributes['http.response.status_code'] === 101,
  );
  const handshake = await span(one, 'of the client', ({ spanId }) => spanId === dialed.parent);
  t.match(handshake, { kind: 'SERVER', traceId: TRACE, parent: SPAN, attributes: { 'url.scheme': 'ws' } });
});

t.test('what arrives by ZeroMQ begins a trace', async (t) => {
  const before = new Set(spansOf(one).map(({ spanId }) => spanId));
  const stream = await open(t, `${one.clients}/stream`);
  await stream.until('one ');
  const socket = new zeromq.Push({ linger: 0 });
  t.teardown(() => socket.close());
  socket.connect(pull);
  await socket.send(Buffer.concat([Buffer.from('T'), encodeTnetstring(streamItem('room-7', 'pushed'))]));
  await stream.until('pushed');
  const isNew = (kind: string) => (it: PrintedSpan) => it.kind === kind && !before.has(it.spanId);
  const producer = await span(one, 'of the publish', isNew('PRODUCER'));
  t.equal(producer.parent, undefined);
  const consumer = await span(one, 'of the delivery', isNew('CONSUMER'));
  t.strictSame(consumer.links, [`${producer.traceId} ${producer.spanId}`]);
});

t.test('a client whose trace is not recorded has no spans, and its flags reach the origin', async (t) => {
  const other = TRACE.replace('0', '1');
  const before = origin.seen.length;
  const answer = await ask(t, `${one.clients}/next`, { headers: { traceparent: `00-${other}-${SPAN}-00` } });
  t.equal(answer.text, 'two');
  t.match(origin.seen[before]?.headers.traceparent, new RegExp(`^00-${other}-[0-9a-f]{16}-00$`));
  await one.record('of the request', (it) => it.trace_id === other);
  t.equal(spansOf(one).filter(({ traceId }) => traceId === other).length, 0);
});

t.test('a share of traces is recorded, with what follows them', async (t) => {
  const holdfast = await start('0');
  const stream = await open(t, `${holdfast.clients}/stream`);
  await stream.until('one ');
  await holdfast.publish(streamItem('room-7', 'not recorded\n'));
  await stream.until('not recorded\n');
  const body = JSON.stringify({ items: [streamItem('room-7', 'recorded\n')] });
  await fetch(`${holdfast.control}/publish/`, { method: 'POST', headers: parent('01'), body });
  await stream.until('recorded\n');
  const consumer = await span(holdfast, 'of the delivery', ({ kind }) => kind === 'CONSUMER');
  t.match(consumer.links, [new RegExp(`^${TRACE} `)]);
  await span(holdfast, 'of the publish', ({ kind }) => kind === 'PRODUCER');
  t.equal(spansOf(holdfast).length, 2, 'and no others');
});

t.test('what waits to be sent is sent before a node ends, but not for ever', async (t) => {
  for (const held of ['open', 'stuck']) {
    const holdfast = await start('1', {}, { SPANS_HELD: held });
    await ask(t, `${holdfast.clients}/next`);
    t.strictSame(spansOf(holdfast), []);
    t.equal((await holdfast.child.stop()).code, 0, held);
    t.equal(spansOf(holdfast).length, 2);
  }
});

t.test('an SDK that fails costs its spans, and is logged once', async (t) => {
  const holdfast = await start('fail');
  for (const _ of [1, 2]) t.equal((await ask(t, `${holdfast.clients}/next`)).text, 'two');
  await until('two requests', () => holdfast.records().filter(({ status }) => status === 200).length === 2);
  t.equal(holdfast.records().filter(({ msg }) => /the OpenTelemetry SDK has failed/.test(String(msg))).length, 1);
});

t.test('without an SDK the log says so, and traces are continued', async (t) => {
  const holdfast = await startHoldfast(t, {
    settings: { log_format: 'json', trace: 'spans' },
    routes: [`* ${origin.target}`],
  });
  await holdfast.record(
    'of the start',
    ({ level, msg }) => level === 'warn' && /no OpenTelemetry SDK/.test(String(msg)),
  );
  const before = origin.seen.length;
  await ask(t, `${holdfast.clients}/next`, { headers: parent('01') });
  t.match(origin.seen[before]?.headers, { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=1' });
});
