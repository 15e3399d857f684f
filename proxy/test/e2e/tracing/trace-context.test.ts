/** Traces that are continued or begun, without spans: what origins, clients and the log get of them. */
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs } from '../../kit/clients/ws-client.js';
import { type Holdfast, type LogRecord, startHoldfast } from '../../kit/holdfast.js';
import { type Seen, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { deadPort } from '../../kit/ports.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const BEGUN = /^00-([0-9a-f]{32})-([0-9a-f]{16})-0([23])$/;
const EVENTS = { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' };

const origin = await startOrigin(t, (request, response, seen) => {
  const { url = '' } = request;
  if (url === '/baggage') response.writeHead(200, { Baggage: 'user=7', traceparent: PARENT }).end('repeated');
  else if (url === '/coded') {
    response.writeHead(200, { Baggage: 'user=7', 'Content-Encoding': 'gzip' }).end(gzipSync('in a coding'));
  } else if (url === '/stream') {
    response.writeHead(200, streamHold('stream', { 'Grip-Link': '</next>; rel=next' })).end('one ');
  } else if (url === '/next') response.end('two');
  else if (url === '/ws')
    request.on('end', () => response.writeHead(200, EVENTS).end(seen.body.startsWith('OPEN') ? 'OPEN\r\n' : ''));
  else response.end('four');
});

const start = (settings: Readonly<Record<string, string | boolean>>, routes: readonly string[] = []) =>
  startHoldfast(t, {
    settings: { log_format: 'json', ...settings },
    routes: [...routes, `*,path_beg=/ws ${origin.target},over_http`, `* ${origin.target}`],
  });

const dead = `127.0.0.1:${await deadPort()}`;
const FIXED = PARENT.replace(TRACE, TRACE.replace('0', 'f'));
const propagating = await start({ trace: 'propagate', request_id_header: 'X-Id', request_id_response: true }, [
  `dead ${dead}`,
  `open,aco ${origin.target}`,
  `fixed,header=traceparent:${FIXED} ${origin.target}`,
]);

async function asked(holdfast: Holdfast, headers: Readonly<Record<string, string | string[]>>, path = '/') {
  const before = origin.seen.length;
  const answer = await ask(t, `${holdfast.clients}${path}`, { headers });
  return { answer, seen: origin.seen[before] as Seen };
}

/** The values of a field, one for each time that it came. */
const all = ({ rawHeaders }: Seen, name: string) =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);

t.test('by default the fields of clients and origins pass untouched, and nothing is made', async (t) => {
  const holdfast = await start({});
  const headers = { traceparent: ['no', 'nor this'], tracestate: ' A,', baggage: 'a=1' };
  const { seen } = await asked(holdfast, headers);
  t.strictSame([all(seen, 'traceparent'), all(seen, 'tracestate')], [['no', 'nor this'], ['A,']]);
  t.equal((await asked(holdfast, {})).seen.headers.traceparent, undefined);
  const { answer } = await asked(holdfast, {}, '/baggage');
  t.match(answer.headers, { baggage: 'user=7', traceparent: PARENT });
  t.notMatch(holdfast.child.stdout, /trace_id/);
});

t.test('propagate: a trace is continued as it came, and shown in the log', async (t) => {
  const holdfast = propagating;
  const { seen } = await asked(holdfast, { traceparent: PARENT, tracestate: ['a=1 ', ' b=2,'], baggage: 'a=1' });
  t.match(seen.headers, { traceparent: PARENT, tracestate: 'a=1,b=2', baggage: 'a=1' });
  const continued = ({ trace_id, span_id }: LogRecord) => trace_id === TRACE && span_id === SPAN;
  await holdfast.record('of the request', (record) => record.status === 200 && continued(record));
  const later = await asked(holdfast, { traceparent: `cc-${TRACE}-${SPAN}-01-x` });
  t.equal(later.seen.headers.traceparent, PARENT, 'of a later version, what this one knows');
});

t.test(
  'propagate: instead of what is malformed a trace is begun, and nothing of it reaches origin or log',
  async (t) => {
    const holdfast = propagating;
    const malformed: (string | string[])[] = [
      `ff-${TRACE}-${SPAN}-01`,
      'x"\\ forged',
      [PARENT, PARENT],
      PARENT.toUpperCase(),
    ];
    const traces = new Set<string>();
    for (const traceparent of malformed) {
      const { seen } = await asked(holdfast, { traceparent, tracestate: 'forged=1' });
      const [only, ...others] = all(seen, 'traceparent');
      t.strictSame(others, []);
      const [, trace = '', span] = BEGUN.exec(only as string) ?? [];
      traces.add(trace);
      t.equal(seen.headers.tracestate, undefined);
      await holdfast.record('of it', (record) => record.trace_id === trace && record.span_id === span);
    }
    t.equal(traces.size, malformed.length, 'each its own');
    t.notMatch(holdfast.child.stdout, /forged/);
  },
);

t.test('propagate: trace_sample says whether the traces that are begun are to be recorded', async (t) => {
  const holdfast = await start({ trace: 'propagate', trace_sample: '0%' });
  for (const [node, flags] of [
    [propagating, '3'],
    [holdfast, '2'],
  ] as const) {
    const { seen } = await asked(node, {});
    t.equal(BEGUN.exec(seen.headers.traceparent as string)?.[3], flags);
    t.equal((await asked(node, { traceparent: PARENT })).seen.headers.traceparent, PARENT, 'not those of clients');
  }
});

t.test(
  'propagate: baggage of origins does not reach clients; failures, links and sessions have the trace',
  async (t) => {
    const holdfast = propagating;
    const { clients } = holdfast;
    const { answer } = await asked(holdfast, {}, '/baggage');
    t.equal(answer.headers.baggage, undefined);
    t.ok(answer.headers['x-id']);

    await ask(t, clients, { headers: { Host: 'dead', traceparent: PARENT } });
    await holdfast.record('of the failure', (record) => record.level === 'warn' && record.trace_id === TRACE);

    const headers = { traceparent: PARENT, tracestate: 'a=1' };
    const stream = await open(t, `${clients}/stream`, { headers });
    await stream.until('one ');
    await holdfast.publish({ channel: 'stream', formats: { 'http-stream': { action: 'hint' } } });
    t.equal(await stream.end(), 'complete');
    await holdfast.record('of the end', (record) => record.kind === 'stream' && record.trace_id === TRACE);

    const ws = await openWs(t, `${clients.replace('http', 'ws')}/ws`, { headers });
    await ws.close(1000);
    await holdfast.record('of the end', (record) => record.kind === 'ws' && record.trace_id === TRACE);
    const followed = origin.seen.filter(({ url }) => ['/stream', '/next', '/ws'].includes(url));
    t.ok(followed.length >= 4);
    for (const { url, headers } of followed) t.match(headers, { traceparent: PARENT, tracestate: 'a=1' }, url);
  },
);

t.test('scripts of other origins see the head as clients do: the id is named to them, baggage is not', async (t) => {
  const { clients } = propagating;
  const cors = await ask(t, `${clients}/baggage`, { headers: { Host: 'open', Origin: 'http://site.example' } });
  t.match(cors.headers['access-control-expose-headers'], /X-Id/);
  t.notMatch(cors.headers['access-control-expose-headers'], /baggage/i);
  t.match(cors.headers, { 'x-id': /./, baggage: undefined });
  const jsonp = await ask(t, `${clients}/coded?callback=c`, { headers: { Host: 'open' } });
  t.match(jsonp.text, /"X-Id": ?"/);
  t.match(jsonp.text, /in a coding/);
  t.notMatch(jsonp.text, /baggage|user=7/i);
  t.match(jsonp.headers, { 'x-id': /./ });
});

t.test('propagate: a route that sets the field has its own way', async (t) => {
  const before = origin.seen.length;
  await ask(t, propagating.clients, { headers: { Host: 'fixed', traceparent: PARENT, tracestate: 'a=1' } });
  t.strictSame(all(origin.seen[before] as Seen, 'traceparent'), [FIXED]);
});
