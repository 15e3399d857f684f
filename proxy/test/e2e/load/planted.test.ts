/** `holdfast load` against a server with planted faults: it finds each of them, and counts exactly. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { newDirectory } from '../../kit/holdfast.js';
import { type LoadReport, runLoad, startLoad } from './load-command.js';
import { type Held, startPlanting } from './planting-server.js';

// They wait most of the time.
t.jobs = 5;

const skip = spawnSync('openssl', ['version']).status === 0 ? false : 'SKIPPED: openssl is not installed';

const CLIENTS = 6;
const ITEMS = 20;
const common = ['--clients', `${CLIENTS}`, '--ramp', '1000/s', '--channel', 'c', '--linger', '2s'];
const pace = ['--rate', '50/s', '--hold', `${ITEMS / 50}s`];

/** Client 0 loses two items, client 1 gets two twice, client 2 gets two pairs the wrong way round, the others all is well. */
function faulty({ index, write }: Held, number: number): void {
  if (index === 0 && (number === 3 || number === ITEMS)) return;
  if (index === 2 && (number === 4 || number === 9)) return;
  write(number);
  if (index === 1 && (number === 6 || number === 7)) write(number);
  if (index === 2 && (number === 5 || number === 10)) write(number - 1);
}

const found = { received: CLIENTS * ITEMS - 2, lost: 2, doubled: 2, disordered: 2, early: 0 };

for (const kind of ['sse', 'stream', 'ws']) {
  t.test(`${kind}: planted loss, doubles and disorder are counted exactly`, async (t) => {
    const server = await startPlanting(t, faulty);
    const rules = ['--fail', 'lost>1', '--fail', 'doubled>=3', '--fail', 'p99>60s'];
    const { code, report } = await runLoad(
      t,
      `${server.url}/${kind}`,
      ...['--kind', kind, '--publish', server.url, ...common, ...pace, ...rules],
    );
    t.match(report.clients, { wanted: CLIENTS, held: CLIENTS, open: CLIENTS, reconnected: 0 });
    t.equal(report.items.published, ITEMS);
    t.match(report.delivery, found);
    t.equal(
      report.latency.reduce((sum, [, count]) => sum + count, 0),
      found.received,
    );
    t.same(report.failures, [{ rule: 'lost>1', value: 2 }]);
    t.equal(code, 2);
    t.strictSame(
      server.published,
      [...server.published].sort((a, b) => a - b),
      'published in order',
    );
    const sum = (name: string) => report.timeline.rows.reduce((all, row) => all + (row[name] ?? 0), 0);
    t.equal(sum('received'), found.received);
    t.equal(sum('published'), ITEMS);
    t.equal(sum('opened'), CLIENTS);
  });
}

t.test('poll: planted loss, doubles and disorder are counted exactly', async (t) => {
  const server = await startPlanting(t, ({ write }, number) => {
    if (number === 3 || number === 9) return;
    write(number);
    if (number === 6) write(number);
    if (number === 10) write(9);
  });
  const { report, code } = await runLoad(
    t,
    `${server.url}/poll`,
    ...['--kind', 'poll', '--publish', server.url, ...common, ...pace, '--clients', '1', '--fail', 'lost>0'],
  );
  t.match(report.clients, { held: 1, open: 1, reconnected: 0 });
  t.match(report.delivery, { received: ITEMS - 1, lost: 1, doubled: 1, disordered: 1, early: 0 });
  t.equal(code, 2);
});

t.test('a client that is cut comes again by its last id; what is replayed is not lost, what is not is', async (t) => {
  const lost: number[] = [];
  const again: (string | undefined)[] = [];
  const server = await startPlanting(
    t,
    (client, number) => {
      if (client.index < 2 && number === 5) client.cut();
      else client.write(number);
    },
    {
      replay: (client, since) => {
        again.push(client.lastId);
        if (again.length === 1) for (const number of since) client.write(number);
        else lost.push(...since);
      },
    },
  );
  const { report } = await runLoad(
    t,
    `${server.url}/sse`,
    ...['--publish', server.url, ...common, '--rate', '20/s', '--hold', '1s'],
  );
  t.same(again, ['4', '4']);
  t.match(report.clients, { held: CLIENTS, open: CLIENTS, reconnected: 2 });
  t.equal(
    Object.values(report.dropped).reduce((sum, count) => sum + count, 0),
    2,
  );
  t.ok(lost.includes(5));
  t.match(report.delivery, { lost: lost.length, doubled: 0, disordered: 0 });
});

t.test('two processes, of which one publishes, together have what both found', async (t) => {
  const server = await startPlanting(t, faulty, { together: CLIENTS });
  const startAt = new Date(Date.now() + 2_000).toISOString();
  const shared = [`${server.url}/sse`, '--start-at', startAt, ...common, ...pace];
  const [first, second] = await Promise.all([
    runLoad(t, ...shared, '--publish', server.url, '--clients', '4'),
    // It ends with the last item, and waits so long for the first one.
    runLoad(t, ...shared, '--clients', '2', '--hold', '30s'),
  ]);
  t.equal(first.report.run, startAt);
  t.equal(second.report.run, startAt);
  const folder = newDirectory(t);
  const files = [first, second].map(({ stdout }, at) => {
    const file = join(folder, `${at}.json`);
    writeFileSync(file, stdout);
    return file;
  });
  const { report, code } = await runLoad(t, '--merge', ...files, '--fail', 'lost!=2', '--fail', 'held<6');
  t.match(report.clients, { wanted: 6, held: 6, open: 6 });
  // What is due within a second after it was held is not owed to a client of another clock.
  t.match(report.delivery, { doubled: found.doubled, disordered: found.disordered, lost: found.lost });
  t.equal(report.items.published, ITEMS);
  const add = (read: (report: LoadReport) => number) => read(first.report) + read(second.report);
  for (const name of ['received', 'lost', 'doubled', 'disordered'] as const)
    t.equal(
      report.delivery[name],
      add(({ delivery }) => delivery[name]),
      name,
    );
  t.equal(report.machines.length, 2);
  t.equal(code, 0);
});

t.test('a control API that refuses for a moment delays items, and is asked again with the same ids', async (t) => {
  const server = await startPlanting(t, ({ write }, number) => write(number));
  server.refusals.push(503, 503);
  const { report } = await runLoad(
    t,
    `${server.url}/sse`,
    ...['--publish', server.url, ...common, ...pace, '-B', 'token'],
  );
  t.match(report.delivery, { received: CLIENTS * ITEMS, lost: 0, doubled: 0, disordered: 0 });
  t.match(report.items, { published: ITEMS, unpublished: 0 });
  // The first item waited for two refusals: it is timed from when it was due.
  t.ok((report.percentiles.delivery.max ?? 0) >= 480);
  t.same([...server.authorizations], ['Bearer token']);
});

t.test('items that are never accepted are nobody’s loss, and the report says so', async (t) => {
  const server = await startPlanting(t, ({ write }, number) => write(number));
  server.refusals.push(403, 403, 403, 403);
  const { report, code } = await runLoad(
    t,
    `${server.url}/sse`,
    ...[
      '--publish',
      server.url,
      '--clients',
      '2',
      '--channel',
      'c',
      '--linger',
      '100ms',
      '--rate',
      '2/s',
      '--hold',
      '2s',
    ],
    ...['--fail', 'lost>0', '--fail', 'unpublished>0'],
  );
  const { published, unpublished } = report.items;
  t.equal(published + unpublished, 4);
  t.ok(unpublished >= 1);
  t.match(report.delivery, { received: 2 * published, lost: 0 });
  t.match(report.warnings.join('\n'), /items were not accepted.*\n.*said: 403 not now/s);
  t.same(
    report.failures.map(({ rule }) => rule),
    ['unpublished>0'],
  );
  t.equal(code, 2);
});

t.test('over TLS, whose certificate is checked', { skip }, async (t) => {
  const directory = newDirectory(t);
  const authority = makeCertificate({ directory, base: 'authority' });
  const tls = makeCertificate({
    directory,
    base: 'server',
    names: ['DNS:localhost', 'IP:127.0.0.1'],
    issuer: authority,
  });
  const server = await startPlanting(t, ({ write }, number) => write(number), { tls });
  const named = server.url.replace('127.0.0.1', 'localhost');
  const env = { NODE_EXTRA_CA_CERTS: authority.certFile };
  const more = ['--channel', 'c', '--rate', '20/s', '--hold', '100ms', '--clients', '1', '--report', 'json'];
  for (const [kind, url] of [
    ['poll', server.url],
    ['sse', named],
    ['ws', server.url],
  ]) {
    const child = startLoad(t, [`${url}/${kind}`, '--kind', `${kind}`, '--publish', named, ...more], env);
    t.same(await child.exited, { code: 0, signal: null }, child.stderr);
    t.match(JSON.parse(child.stdout).delivery, { received: 2, lost: 0 }, `${kind}`);
  }
  const child = startLoad(t, [`${server.url}/sse`, ...more, '--linger', '0s']);
  await child.exited;
  t.match(JSON.parse(child.stdout).failed, { UNABLE_TO_VERIFY_LEAF_SIGNATURE: 1 });
});
