import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { RoutesError } from '../../dist/errors.js';
import { pollFile } from '../../dist/routes/file-watch.js';
import type { RouteTable } from '../../dist/routes/route-table.js';
import { parseRoutesFile } from '../../dist/routes/routes-file.js';
import { PROP_WARNINGS_MAX, RoutesSource, readRoutes, unknownProps } from '../../dist/routes/routes-source.js';
import { until } from '../kit/until.js';

/** That a file is to be read once more, and when. */
const waiting: { ms: number; again: (() => void) | undefined } = { ms: 0, again: undefined };

/** A source over a file in memory. `text: undefined` is a file that is not there. */
function fixture(start: string | undefined) {
  const said: string[] = [];
  const reloads: RouteTable[] = [];
  const state = { text: start, change: () => {}, watched: '', closed: false, ...waiting };
  const open = () =>
    new RoutesSource(
      { routesfile: '/etc/x/routes', routesDir: '/etc/x' },
      {
        log: {
          info: (message) => said.push(`info: ${message}`),
          warn: (message) => said.push(`warn: ${message}`),
          error: (message) => said.push(`error: ${message}`),
        },
        after: (ms, run) => {
          state.ms = ms;
          state.again = () => {
            state.again = undefined;
            run();
          };
          return () => {
            state.again = undefined;
          };
        },
        onReload: (table) => reloads.push(table),
        readFile: (path) => {
          if (path === '/etc/x/key.hex') return Buffer.from('0102');
          if (path !== '/etc/x/routes' || state.text === undefined)
            throw Object.assign(new Error(path), { code: 'ENOENT' });
          return Buffer.from(state.text);
        },
        watchFile: (path, onChange) => {
          state.watched = path;
          state.change = onChange;
          return () => {
            state.closed = true;
          };
        },
      },
    );
  return { said, reloads, state, open };
}

const domains = (table: RouteTable) => table.routes.map(({ domain }) => domain);

t.test('at the start bad lines are skipped with a warning and the others load', async (t) => {
  const { open, said, state } = fixture(
    'a.test h:1\nb.test\nc.test nowhere\na.test h:2\nd.test h:3\ne.test h:4 over_http\n',
  );
  const source = open();
  t.strictSame(domains(source.table), ['a.test', 'd.test']);
  t.strictSame(said, [
    'warn: /etc/x/routes: line 2: must specify condition and at least one target, line skipped',
    'warn: /etc/x/routes: line 3, column 8: target bad format: it has no port, as in nowhere:80, line skipped',
    'warn: /etc/x/routes: line 6, column 12: target bad format: over_http is a property, which follows its target after a comma and no space, line skipped',
    'warn: /etc/x/routes: skipping duplicate condition a.test,*,*,*',
    'info: routes loaded with 2 entries',
  ]);
  t.equal(state.watched, '/etc/x/routes');
  source.close();
  t.ok(state.closed);
});

t.test('at the start a file that cannot be read is an error', async (t) => {
  t.throws(
    fixture(undefined).open,
    new RoutesError(
      'cannot read routes file /etc/x/routes: ENOENT',
      { line: 0, column: 0 },
      { code: 'ERR_CONFIG_ROUTES_FILE' },
    ),
  );
});

t.test('at the start an empty file is an empty table, and the log says what that means', async (t) => {
  const { open, said, state } = fixture('# none\n');
  const source = open();
  t.strictSame(domains(source.table), []);
  t.equal(said[0], 'warn: routes: /etc/x/routes has no routes: every request is answered 502');
  state.text = 'a.test h:1';
  t.notOk(source.reload(), 'the first line may be half a one');
  state.text = 'a.test h:1\n';
  t.ok(source.reload());
});

for (const [what, half, why] of [
  ['is empty', '', 'has no routes any more (to have none, start with none)'],
  ['has comments only', '# a.test h:1\n\n', 'has no routes any more (to have none, start with none)'],
  [
    'ends within a line',
    'b.test h:1\nc.test h:',
    'has no end of line after its last line, as if it had been cut short',
  ],
  [
    'ends within a line that is one',
    'b.test h:1',
    'has no end of line after its last line, as if it had been cut short',
  ],
] as const)
  for (const how of ['change', 'reload'] as const)
    t.test(`${how}: a file that ${what} is read once more; the routes stay in force until it is whole`, async (t) => {
      const { open, said, state, reloads } = fixture('a.test h:1\n');
      const source = open();
      const load = () => (how === 'change' ? state.change() : source.reload());
      said.length = 0;
      state.text = half;
      load();
      t.equal(state.ms, 1_000);
      t.strictSame(domains(source.table), ['a.test']);
      state.again?.();
      t.strictSame(domains(source.table), ['a.test']);
      t.equal(said.at(-1), `warn: routes not loaded: /etc/x/routes ${why}; keeping the routes in force`);
      t.equal(state.again, undefined, 'it is not read again and again');
      t.equal(reloads.length, 0);
      load();
      state.text = 'b.test h:1\nc.test h:2\n';
      state.again?.();
      t.strictSame(domains(source.table), ['b.test', 'c.test']);
      state.text = half;
      load();
      state.text = 'd.test h:1\n';
      load();
      t.equal(state.again, undefined);
      t.strictSame(domains(source.table), ['d.test']);
      state.text = half;
      load();
      source.close();
      t.equal(state.again, undefined);
    });

t.test('a file that has had no end of line when it was loaded needs none', async (t) => {
  const { open, state } = fixture('a.test h:1');
  const source = open();
  state.text = 'b.test h:1';
  t.ok(source.reload());
  state.text = 'c.test h:1\n';
  t.ok(source.reload());
  state.text = 'd.test h:1';
  t.notOk(source.reload());
  t.strictSame(domains(source.table), ['c.test']);
});

t.test('a changed file is loaded and replaces the table as a whole', async (t) => {
  const { open, said, state, reloads } = fixture('a.test h:1\n');
  const source = open();
  const before = source.table;
  said.length = 0;
  state.text = 'b.test h:1\n';
  state.change();
  t.strictSame(domains(source.table), ['b.test']);
  t.strictSame(domains(before), ['a.test'], 'a request under way keeps what it has');
  t.strictSame(reloads, [source.table]);
  t.strictSame(said, ['info: routes file changed, reloading', 'info: routes loaded with 1 entries']);
});

for (const [what, text, message] of [
  ['a bad line', 'b.test h:1\nbad\n', 'error: routes not loaded because of 1 bad lines; keeping the routes in force'],
  ['no file', undefined, 'error: cannot read routes file /etc/x/routes: ENOENT; keeping the routes in force'],
] as const)
  t.test(`a reload with ${what} keeps the routes in force and says so`, async (t) => {
    const { open, said, state, reloads } = fixture('a.test h:1\n');
    const source = open();
    const before = source.table;
    state.text = text;
    t.equal(source.reload(), false);
    t.equal(source.table, before);
    t.equal(said.at(-1), message);
    t.strictSame(reloads, []);
    state.text = 'c.test h:1\n';
    t.equal(source.reload(), true);
    t.strictSame(domains(source.table), ['c.test']);
  });

t.test('a key file is found beside the routes file; one that is missing spoils its line only', async (t) => {
  const { open, said } = fixture('a.test,sig_key=file:key.hex h:1\nb.test,sig_key=file:none h:1\n');
  const source = open();
  t.strictSame(
    source.table.routes.map(({ sigKey }) => sigKey),
    [{ kind: 'secret', secret: Buffer.from([1, 2]) }],
  );
  t.match(said[0], /line 2, column 8: sig_key: cannot read key file/);
});

t.test('lines of the configuration make a table that no file changes', async (t) => {
  const { table, errors } = readRoutes({ routes: ['* h:1', 'bad'], routesDir: '/' });
  t.strictSame(domains(table), ['*']);
  t.strictSame(
    errors.map(({ line }) => line),
    [2],
  );
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const watchFile = () => t.fail('watches a file') as never;
  const source = new RoutesSource({ routes: ['* h:1'], routesDir: '/' }, { log, watchFile });
  t.strictSame(domains(source.table), ['*']);
  source.close();
});

/** Resolves when a poller over `path` reports a change that `act` makes. */
function changeSeen(t: Test, path: string, act: () => void, interval = 10): Promise<void> {
  return new Promise((resolve) => {
    // The poller does not keep the process alive, so something else has to.
    const alive = setInterval(() => {}, 1000);
    const stop = pollFile(path, done, interval);
    t.teardown(() => clearInterval(alive));
    function done() {
      stop();
      clearInterval(alive);
      resolve();
    }
    act();
  });
}

t.test('a watched file: writing, replacing and swapping a symlink are all seen', async (t) => {
  const dir = t.testdir({ routes: 'a', next: 'bb', one: { routes: '1' }, two: { routes: '22' } });
  const path = join(dir, 'routes');
  await changeSeen(t, path, () => writeFileSync(path, 'longer'));
  await changeSeen(t, path, () => renameSync(join(dir, 'next'), path));
  // As kubelet does with a ConfigMap: file → ..data/file, and ..data is swapped.
  mkdirSync(join(dir, 'mount'));
  symlinkSync(join(dir, 'one'), join(dir, 'mount/..data'));
  symlinkSync('..data/routes', join(dir, 'mount/routes'));
  await changeSeen(t, join(dir, 'mount/routes'), () => {
    symlinkSync(join(dir, 'two'), join(dir, 'mount/..tmp'));
    renameSync(join(dir, 'mount/..tmp'), join(dir, 'mount/..data'));
  });
  await changeSeen(t, path, () => unlinkSync(path));
});

t.test(
  'a file that is replaced, and a symlink that is swapped anywhere on the way to it, are seen at once',
  async (t) => {
    const files = () => ({ routes: 'a' });
    const deep = () => ({ sub: files() });
    const dir = t.testdir({ ...files(), next: 'bb', one: files(), two: files(), three: deep(), four: deep() });
    const at = (path: string) => join(dir, path);
    // Polling alone would take longer than the test may.
    const seen = (path: string, act: () => void) => changeSeen(t, at(path), act, 3_600_000);
    await seen('routes', () => renameSync(at('next'), at('routes')));
    await seen('routes', () => {
      unlinkSync(at('routes'));
      writeFileSync(at('routes'), 'ccc');
    });
    mkdirSync(at('mount'));
    symlinkSync('../one', at('mount/..data'));
    symlinkSync('..data/routes', at('mount/routes'));
    symlinkSync('../two', at('mount/..tmp'));
    await seen('mount/routes', () => renameSync(at('mount/..tmp'), at('mount/..data')));
    symlinkSync('three', at('current'));
    symlinkSync('four', at('following'));
    await seen('current/sub/routes', () => renameSync(at('following'), at('current')));
    symlinkSync('loop', at('loop'));
    t.doesNotThrow(() => pollFile(at('loop/routes'), () => {}, 3_600_000)());
  },
);

t.test('each swap of several is seen, and a file that appears', async (t) => {
  const dir = t.testdir({ one: { routes: '1' }, two: { routes: '2' } });
  symlinkSync('one', join(dir, 'current'));
  let changes = 0;
  const stop = pollFile(join(dir, 'current/routes'), () => changes++, 3_600_000);
  t.teardown(stop);
  for (const [i, name] of ['two', 'one', 'two'].entries()) {
    symlinkSync(name, join(dir, 'next'));
    renameSync(join(dir, 'next'), join(dir, 'current'));
    await until('the change', () => changes === i + 1);
  }
  unlinkSync(join(dir, 'two/routes'));
  writeFileSync(join(dir, 'two/routes'), '3');
  await until('the last change', () => changes === 4);
});

const warningsOf = (text: string) => unknownProps(parseRoutesFile(text).lines);

t.test('each is named with its place and what may have been meant', async (t) => {
  t.strictSame(warningsOf('# routes\n*,deubg h:1,ssl,insecur i:2,over_htp\n'), [
    "line 2, column 3: property of a route unknown, ignored: 'deubg'; did you mean debug?",
    "line 2, column 17: property of a target unknown, ignored: 'insecur'; did you mean insecure?",
    "line 2, column 29: property of a target unknown, ignored: 'over_htp'; did you mean over_http?",
  ]);
});

t.test('one that is there for the other side is no misspelling', async (t) => {
  t.strictSame(warningsOf('* h:1,path_beg=/a'), [
    "line 1, column 7: property 'path_beg' ignored: it is one of a route, and stands with a target",
  ]);
});

t.test('beyond PROP_WARNINGS_MAX nothing more is said', async (t) => {
  const warnings = warningsOf('*,x h:1,y\n'.repeat(PROP_WARNINGS_MAX));
  t.equal(warnings.length, PROP_WARNINGS_MAX + 1);
  t.match(warnings.at(-1), /of the rest nothing is said$/);
});
