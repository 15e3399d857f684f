/**
 * The bench, small: every part runs from end to end on Holdfast's node edge, and what it writes down is sane. No figure
 * of such a run means anything.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const command = fileURLToPath(new URL('../run.mjs', import.meta.url));
const skip =
  spawnSync('cc', ['--version']).status === 0
    ? false
    : 'SKIPPED: there is no C compiler (cc), so the bench was not tried';
/** On a machine that is busy with other tests. */
const LIMIT_MS = 560_000;

// Three dozen works, each with processes of its own: longer than tap gives a file by itself.
t.setTimeout(LIMIT_MS + 10_000);

interface RunRecord {
  readonly work: string;
  readonly target: string;
  readonly values: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

interface Results {
  readonly records: readonly RunRecord[];
  readonly hundredThousand: readonly {
    readonly clients: number;
    readonly processes: number;
    readonly problems: readonly string[];
    readonly rounds: readonly { readonly lastMs: number }[];
  }[];
}

/** With Holdfast as it is published, where the runner of the tests has made that package: it starts sooner. */
const { TEST_PACKAGE: folder } = process.env;
const env = { ...process.env, ...(folder !== undefined && { BENCH_PACKAGE: folder }) };

/** Runs the bench and waits for its end. */
function runBench(args: readonly string[]): Promise<{ readonly status: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [command, '--no-build', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (text: string) => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    const timer = setTimeout(() => child.kill('SIGTERM'), LIMIT_MS);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, output });
    });
  });
}

t.test('the whole bench runs on the node edge, and loses nothing', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'results.json');
  const { status, output } = await runBench(['--smoke', '--json', file]);
  t.equal(status, 0, status === 0 ? 'it ends well' : output);
  const { records, hundredThousand } = JSON.parse(readFileSync(file, 'utf8')) as Results;
  const recordOf = (work: string) =>
    records.find((record) => record.work === work && record.target === 'holdfast-node');

  for (const work of ['streams', 'websockets', 'polls']) {
    const values = recordOf(work)?.values;
    t.ok((values?.openUs ?? 0) > 0, `${work}: opening a hold costs something`);
    t.ok((values?.bytes ?? 0) >= 100, `${work}: an item of 100 bytes arrives in at least as many`);
  }
  for (const work of ['idle-streams', 'idle-websockets']) {
    const record = recordOf(work);
    t.strictSame(record?.problems, [], `${work}: all holds opened, each time`);
    t.ok((record?.values.rssMb ?? 0) > 20, `${work}: a process takes its memory`);
    t.ok((record?.values.startMs ?? 0) > 50, `${work}: and its time to start`);
  }
  for (const work of [
    ...['streams', 'websockets', 'polls', 'bursts-streams', 'bursts-websockets'],
    ...['pass-small', 'pass-large', 'pass-upload', 'echo-socket', 'echo-over-http', 'latency', 'tails', 'tails-deaf'],
    ...['ack', 'keys', 'publish', 'cold-streams', 'cold-websockets', 'reconnect-streams', 'reconnect-websockets'],
    ...['tokens-streams', 'tokens-websockets'],
  ]) {
    const record = recordOf(work);
    t.strictSame(record?.problems, [], `${work}: every item or answer came once, unchanged`);
    const { idleKb, ...costs } = record?.values ?? {};
    t.ok(Object.keys(costs).length > 0, `${work}: there are figures`);
    t.strictSame(
      Object.entries(costs).filter(([, value]) => !(value > 0)),
      [],
      `${work}: every figure is more than nothing`,
    );
  }
  for (const work of ['tls-streams', 'tls-websockets']) {
    const record = recordOf(work);
    if (record?.problems.some((text) => text.includes('libssl-dev'))) {
      t.pass(work, { skip: `SKIPPED: there is no OpenSSL to compile with (libssl-dev), so ${work} was not tried` });
      continue;
    }
    t.strictSame(record?.problems, [], `${work}: every item came once, and every session was resumed`);
    const { openUs = 0, resumeUs = 0, deliveryUs = 0 } = record?.values ?? {};
    t.ok(openUs > 0 && resumeUs > 0 && deliveryUs > 0, `${work}: there are figures`);
  }
  const compressed = recordOf('compressed');
  t.strictSame(compressed?.problems, [], 'compressed: every client had every item');
  const { plainBytes = 0, gzipBytes = 0 } = compressed?.values ?? {};
  t.ok(gzipBytes > 0 && gzipBytes < plainBytes / 2, 'compressed: items came shorter');
  const drained = recordOf('drain-haproxy');
  if (drained?.problems.some((text) => text.endsWith('is not installed')))
    t.pass('drain', { skip: 'SKIPPED: there is no haproxy or redis-server, so the drain was not tried' });
  else {
    t.strictSame(drained?.problems, [], 'drain: every client had every item once, and no request failed');
    const { held = 0, ended = 0, endsPeak = 0, beyondS = 60 } = drained?.values ?? {};
    t.ok(held > 100 && ended > 50, `drain: ${held} were held, of which the node ended ${ended}`);
    // All at once would be three times the even pace of three seconds.
    t.ok(endsPeak < (2 * held) / 3, `drain: ${endsPeak} of ${held} ended in the busiest second`);
    t.ok(beyondS < 6, `drain: gone ${beyondS} s after the window`);
  }
  const [crowd] = hundredThousand;
  t.equal(crowd?.clients, 200, 'the crowd was held');
  t.ok((crowd?.rounds[0]?.lastMs ?? 0) > 0, 'and its last client has the item');
  t.match(output, /NOT IN THIS RUN.*Pushpin 1\.36/, 'a target that is not measured is named');
});

t.test('the crowd is held by the bare loop too, by as many processes', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'results.json');
  const args = ['hundred-thousand', '--smoke', '--targets', 'limit', '--rounds', '2', '--json', file];
  const { status, output } = await runBench(args);
  t.equal(status, 0, status === 0 ? 'it ends well' : output);
  const [crowd] = (JSON.parse(readFileSync(file, 'utf8')) as Results).hundredThousand;
  t.strictSame(crowd?.problems, [], 'every client had every item once, whichever worker holds it');
  t.equal(crowd?.processes, 3, 'a primary and two workers');
  t.equal(crowd?.rounds.length, 2);
});

t.test('an unknown part is refused with those that there are', async (t) => {
  const { status, output } = await runBench(['strems']);
  t.equal(status, 1);
  t.match(output, /there is no part strems; there are streams, /);
});
