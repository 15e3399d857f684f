/** `holdfast load` against a real Holdfast with the example application behind it: every kind of client. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { root, startChild } from '../../kit/child.js';
import { type HoldfastOptions, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { deadPort, freePort } from '../../kit/ports.js';
import { makeCuttable } from '../holds/cuttable.js';
import { runLoad, startLoad } from './load-command.js';

// They wait most of the time.
t.jobs = 2;

const CLIENTS = 20;
const ITEMS = 10;

t.test('event streams, streams, WebSockets and long polls of the example, at once', async (t) => {
  const control = await freePort();
  const example = startChild(t, {
    command: process.execPath,
    args: [join(root, 'examples', 'express-origin', 'server.mjs')],
    env: { PORT: '0', GRIP_URL: `http://127.0.0.1:${control}/` },
  });
  const [, target] = await example.line(/listening on http:\/\/(\S+)\n/);
  const { clients, control: publish } = await startHoldfast(t, {
    routes: [`* ${target},over_http`],
    settings: { push_in_http_port: control },
  });
  const run = (kind: string, path: string, channel: string) =>
    runLoad(
      t,
      `${clients}${path}`,
      ...['--kind', kind, '--publish', `${publish}/`, '--channel', channel],
      ...['--clients', `${CLIENTS}`, '--ramp', '200/s', '--rate', '10/s', '--hold', '1s'],
      ...['--fail', 'doubled>0', '--fail', 'disordered>0', '--fail', 'failed>0', '--fail', `open<${CLIENTS}`],
    );
  const runs = await Promise.all([
    run('sse', '/events?channel=a', 'a'),
    run('stream', '/stream?channel=b', 'b'),
    run('ws', '/socket?channel=c', 'c'),
    run('poll', '/poll?channel=d', 'd'),
  ]);
  for (const { code, report, stderr } of runs.slice(0, 3)) {
    t.equal(code, 0, JSON.stringify(report.failures));
    t.match(report.delivery, { received: CLIENTS * ITEMS, lost: 0, doubled: 0, disordered: 0 });
    t.match(report.items, { published: ITEMS, seen: true });
    t.ok((report.percentiles.delivery.p50 ?? 0) > 0);
    t.ok((report.machines[0]?.cpu ?? 0) > 0, 'it says what it takes itself');
    t.match(stderr, /held · /, 'and how it goes');
  }
  // A long poll has no history here: what is published between two of them does not come.
  const { code, report } = runs[3];
  t.equal(code, 0, JSON.stringify(report.failures));
  t.ok(report.delivery.received > 0);
  t.equal(report.delivery.received + report.delivery.lost, CLIENTS * ITEMS);
});

/** A Holdfast whose origin holds every request as an event stream on channel `c`. */
async function startHolding(t: Test, settings: HoldfastOptions['settings'] = {}) {
  const origin = await startOrigin(t, (_, response) => {
    response.setHeader('Grip-Hold', 'stream');
    response.setHeader('Grip-Channel', 'c');
    response.setHeader('Content-Type', 'text/event-stream');
    response.end('retry: 50\n\n');
  });
  return startHoldfast(t, { routes: [`* ${origin.target}`], settings });
}

t.test('with history, event streams that are cut lose nothing', async (t) => {
  const holdfast = await startHolding(t, { history_replay: true, sig_key: 'key' });
  const wire = await makeCuttable(t, holdfast.clients);
  const running = startLoad(t, [
    `${wire.url}/`,
    ...['--publish', holdfast.control, '--channel', 'c', '--clients', `${CLIENTS}`, '--ramp', '1000/s'],
    ...['--rate', '50/s', '--hold', '1s', '--linger', '30s', '--report', 'json', '--fail', 'lost>0'],
  ]);
  await holdfast.holds('stream', CLIENTS);
  for (const ms of [1_300, 500]) {
    await delay(ms);
    wire.cut();
  }
  const { code } = await running.exited;
  const report = JSON.parse(running.stdout);
  t.equal(code, 0, running.stderr);
  t.match(report.delivery, { received: CLIENTS * 50, lost: 0, doubled: 0, disordered: 0 });
  t.ok(report.clients.reconnected >= CLIENTS);
});

t.test('what cannot be: no control API, no route, a port that nobody has', async (t) => {
  const dead = `http://127.0.0.1:${await deadPort()}`;
  const unpublished = startLoad(t, [`${dead}/`, '--publish', dead, '--channel', 'c']);
  t.same(await unpublished.exited, { code: 1, signal: null });
  t.match(unpublished.stderr, `Error: cannot publish to ${dead}/publish/: ECONNREFUSED\n`);

  const holdfast = await startHoldfast(t, { routes: ['example.com 127.0.0.1:1'] });
  const short = ['--clients', '3', '--ramp', '1000/s', '--hold', '0s', '--linger', '0s'];
  const [gone, wrong] = await Promise.all([
    runLoad(t, `${dead}/`, ...short, '--fail', 'held<3', '--fail', 'lost>0'),
    runLoad(t, `${holdfast.clients}/`, ...short, '--kind', 'ws'),
  ]);
  t.same(gone.report.failed, { ECONNREFUSED: 3 });
  t.match(gone.report.clients, { held: 0, open: 0 });
  t.same(
    gone.report.failures.map(({ rule, value }) => [rule, value]),
    [
      ['held<3', 0],
      ['lost>0', null],
    ],
    'nothing is known of what was lost',
  );
  t.equal(gone.code, 2);
  t.same(wrong.report.failed, { 'status 502': 3 });
  t.equal(wrong.code, 0, 'nobody asked');
});

t.test('a run that is interrupted has a report of what was', async (t) => {
  const holdfast = await startHolding(t);
  const running = startLoad(t, [
    `${holdfast.clients}/`,
    ...['--publish', holdfast.control, '--channel', 'c', '--clients', '5', '--hold', '1h'],
  ]);
  await holdfast.holds('stream', 5);
  running.signal('SIGINT');
  t.same(await running.exited, { code: 0, signal: null });
  t.match(running.stdout, /^clients {10}5 of 5 held/m);
  await holdfast.holds('stream', 0);
});
