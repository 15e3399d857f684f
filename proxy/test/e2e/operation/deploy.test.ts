/**
 * deploy/ says what is true: its settings are options, its paths exist, and what the image holds runs without rights.
 * Docker itself is not needed: the steps of the image are taken here, and the services of compose.yaml as processes.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { contextFiles, readCompose, readDockerfile, type Service, type Stage } from './deployment.js';

const { services, volumes } = readCompose();
const stages = readDockerfile();
const image = stages.get('holdfast') as Stage;
const service = (name: string) => services[name] as Service;
const nodes = ['node1', 'node2', 'node3'];

/** The directory of Holdfast in the image. */
const HOME = '/opt/holdfast';
/** The end of a port mapping: the port in the container. */
const containerPort = (mapping: string) => mapping.slice(mapping.lastIndexOf(':') + 1);

t.test('compose.yaml: the settings of each node are options with good values', async (t) => {
  t.strictSame(
    Object.keys(services).filter((name) => service(name).build?.target === 'holdfast'),
    nodes,
  );
  for (const name of nodes) {
    const all = Object.entries({ ...image.environment, ...service(name).environment });
    const env = Object.fromEntries(all.filter(([variable]) => variable.startsWith('HOLDFAST_')));
    const check = runHoldfast(t, { directory: newDirectory(t), args: ['check-config'], env });
    t.match(await check.exited, { code: 0 }, name);
    // It is a try-out in a private network of its own; the file and its README say what to set for more.
    const expected = /^warning: sig_key is changeme[^\n]*\nwarning: the control API is on a public address[^\n]*\n$/;
    t.match(check.stderr, expected, `${name}: no other warning`);
    t.equal(check.stdout, 'ok: no configuration file, 1 routes\n');
  }
});

t.test('compose.yaml: one setting makes the nodes a system, and it names a service', async (t) => {
  for (const name of nodes) t.strictSame(service(name).environment, service('node1').environment);
  const { hostname } = new URL(service('node1').environment?.HOLDFAST_REDIS_URL ?? '');
  t.ok(service(hostname).image, hostname);
  for (const name of nodes)
    t.equal(service(name).environment?.HOLDFAST_STOP_TIMEOUT, service(name).stop_grace_period, 'both change together');
});

t.test('compose.yaml: what it names exists, and listens there', async (t) => {
  for (const [name, { build, depends_on = {}, ports = [], volumes: mounted = [] }] of Object.entries(services)) {
    for (const other of Object.keys(depends_on)) t.ok(services[other], `${name} depends on ${other}`);
    for (const mount of mounted) t.ok((mount.split(':')[0] as string) in volumes, `${name} mounts ${mount}`);
    if (build === undefined) continue;
    t.ok(
      existsSync(join(root, 'deploy', build.context, build.dockerfile)),
      `${name} is built from ${build.dockerfile}`,
    );
    const exposed = stages.get(build.target)?.exposed ?? [];
    for (const mapping of ports) t.ok(exposed.includes(containerPort(mapping)), `${name} listens on ${mapping}`);
  }
  const [, origin = '', port = ''] = /(\w+):(\d+)$/.exec(service('node1').environment?.HOLDFAST_ROUTES ?? '') ?? [];
  t.ok(stages.get(service(origin).build?.target ?? '')?.exposed.includes(port), `the route leads to ${origin}:${port}`);
  const control = new URL(service(origin).environment?.GRIP_URL ?? '');
  t.ok(nodes.includes(control.hostname) && image.exposed.includes(control.port), `${origin} publishes to ${control}`);
});

/** The step that makes the code of the image, and where. */
const BUNDLE = 'node scripts/bundle.mjs tmp/bundled';
const BUNDLED = `${HOME}/tmp/bundled`;

t.test('Dockerfile: whatever is copied is there, and Docker is given it', async (t) => {
  const given = contextFiles();
  for (const { name, copies } of stages.values()) {
    for (const { from, sources } of copies) {
      for (const source of sources) {
        if (from !== undefined) {
          t.ok(stages.has(from), `${name} copies from the stage ${from}`);
          if (source === BUNDLED) t.ok(stages.get(from)?.runs.includes(BUNDLE), `${from} makes ${source}`);
          else t.ok(existsSync(join(root, source.slice(HOME.length))), `${name}: ${source}`);
        } else
          t.ok(
            given.some((file) => file === source || file.startsWith(`${source}/`)),
            `${name}: ${source}`,
          );
      }
    }
  }
  const workspaces = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces as string[];
  const manifests = stages.get('manifests')?.copies.flatMap(({ sources }) => sources);
  for (const name of workspaces) t.ok(manifests?.includes(`${name}/package.json`), `npm knows the workspace ${name}`);
  t.notOk(given.some((file) => /(^|\/)(node_modules|test)\//.test(file)));
});

/** Somebody without rights of whom no file is; the tests may run as root. */
const NOBODY = 65_534;
const asNobody = (command: readonly string[]) =>
  process.getuid?.() === 0
    ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs', ...command]
    : command;

/** Takes the right to write to a tree from everybody, or gives it back to its owner. */
function setWritable(path: string, writable: boolean): void {
  const change = (place: string) => {
    const { mode } = statSync(place);
    chmodSync(place, writable ? mode | 0o200 : (mode | 0o044) & ~0o222);
  };
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true }))
    if (!entry.isSymbolicLink()) change(join(entry.parentPath, entry.name));
  chmodSync(path, writable ? 0o755 : 0o555);
}

/** Takes the steps of a stage that installs production packages, in a directory that goes with the test. */
async function install(t: Test, stage: string): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  t.teardown(() => {
    setWritable(home, true);
    rmSync(home, { recursive: true, force: true });
  });
  for (const { sources } of stages.get('manifests')?.copies ?? [])
    for (const source of sources) cpSync(join(root, source), join(home, source), { recursive: true });
  for (const run of stages.get(stage)?.runs ?? []) {
    // What was installed for these tests is not asked of the registry again.
    const step = run.startsWith('npm ') ? `${run} --prefer-offline` : run;
    const child = startChild(t, { command: 'sh', args: ['-c', step], cwd: home });
    t.match(await child.exited, { code: 0 }, `${step}\n${child.stderr}`);
  }
  return home;
}

/** Starts the command of the installed package, as nobody, in a directory that it cannot write to. */
function runInstalled(t: Test, home: string, args: readonly string[], env: Record<string, string> = {}): Child {
  const [command = '', ...rest] = asNobody([join(home, 'node_modules', '.bin', 'holdfast'), ...args]);
  return startChild(t, { command, args: rest, cwd: home, env });
}

t.test('the image: a production install runs as nobody, from a tree that nobody can write to', async (t) => {
  const home = await install(t, 'production');
  t.strictSame(
    image.copies.filter(({ from }) => from === 'build').map(({ sources }) => sources),
    [[BUNDLED]],
  );
  const bundle = BUNDLE.replace(/\S+$/, join(home, 'proxy', 'dist'));
  t.match(await startChild(t, { command: 'sh', args: ['-c', bundle] }).exited, { code: 0 }, bundle);
  cpSync(join(root, 'proxy', 'ui'), join(home, 'proxy', 'ui'), { recursive: true });
  const packages = readdirSync(join(home, 'node_modules'));
  t.notOk(
    packages.some((name) => /typescript|esbuild|biome/.test(name)),
    'no tools',
  );
  setWritable(home, false);
  t.match(image.user, /^[1-9]\d*:[1-9]\d*$/, 'a number, which Kubernetes can tell from root');

  const { version } = JSON.parse(readFileSync(join(root, 'proxy', 'package.json'), 'utf8')) as { version: string };
  const versionRun = runInstalled(t, home, ['--version']);
  t.match(await versionRun.exited, { code: 0 }, versionRun.stderr);
  t.equal(versionRun.stdout, `holdfast ${version}\n`);

  const admin = await freePort();
  const own = { HOLDFAST_HTTP_PORT: '127.0.0.1:0', HOLDFAST_PUSH_IN_HTTP_PORT: '0' };
  const listening = { ...own, HOLDFAST_ADMIN_PORT: `127.0.0.1:${admin}` };
  const node = runInstalled(t, home, ['--route', '* test'], listening);
  await node.line(/ started(?:"\})?\n/);
  const probe = () => {
    const [, ...words] = (image.probe ?? []).map((word) => word.replace(/(127\.0\.0\.1):\d+/, `$1:${admin}`));
    return startChild(t, { command: process.execPath, args: words }).exited;
  };
  t.match(await probe(), { code: 0 }, 'the health check of a node that runs');
  node.signal('SIGTERM');
  t.match(await node.exited, { code: 0, signal: null });
  t.match(await probe(), { code: 1 }, 'the health check of a node that has gone');
});

t.test(
  'the entry point of the image takes the target of all requests; routes that are given anywhere win',
  async (t) => {
    const directory = newDirectory(t);
    const entry = join(root, 'deploy', 'entrypoint.sh');
    const printed = async (env: Record<string, string>, ...args: string[]) => {
      const path = `${join(root, 'node_modules', '.bin')}:${process.env.PATH}`;
      const child = startChild(t, {
        command: entry,
        args: ['print-config', ...args],
        cwd: directory,
        env: { PATH: path, ...env },
      });
      t.match(await child.exited, { code: 0 }, child.stderr);
      t.equal(child.stderr, '');
      return child.stdout;
    };
    const target = { target: 'app.internal:3000' };
    t.match(await printed(target), '* app.internal:3000,over_http');
    t.notMatch(await printed({}), 'app.internal');
    t.notMatch(await printed(target, '--route', '* test'), 'app.internal');
    t.notMatch(await printed({ ...target, HOLDFAST_ROUTES: '* test' }), 'app.internal');
    writeFileSync(join(directory, 'holdfast.yaml'), 'routes: ["* test"]\n');
    t.notMatch(await printed(target), 'app.internal', 'routes in the file');
    writeFileSync(join(directory, 'holdfast.yaml'), 'routesfile: routes\n');
    t.match(await printed(target), /routesfile: .*routes/, 'a routes file');
    t.notMatch(await printed(target), 'app.internal');
  },
);

t.test('the health checks ask where the image listens', async (t) => {
  const portOf = (stage: Stage) => /127\.0\.0\.1:(\d+)/.exec(stage.probe?.join(' ') ?? '')?.[1];
  t.equal(portOf(image), image.environment.HOLDFAST_ADMIN_PORT);
  const origin = stages.get('origin') as Stage;
  t.equal(portOf(origin), origin.environment.PORT);
  t.strictSame(origin.exposed, [origin.environment.PORT]);
});

t.test('the systemd unit: its command and its variables are those of Holdfast', async (t) => {
  const unit = readFileSync(join(root, 'deploy', 'systemd', 'holdfast.service'), 'utf8');
  const [, command = '', file = ''] = /^ExecStart=(\S+) --config (\S+)$/m.exec(unit) ?? [];
  const { bin } = JSON.parse(readFileSync(join(root, 'proxy', 'package.json'), 'utf8')) as { bin: object };
  t.ok(command.slice(dirname(command).length + 1) in bin, command);
  t.equal(file, '/etc/holdfast/holdfast.yaml');
  t.match(unit, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
  t.match(unit, /^LimitNOFILE=\d+$/m);
  const settings = [...unit.matchAll(/^Environment=(HOLDFAST_\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
  const [, timeout] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
  t.strictSame(settings, [['HOLDFAST_STOP_TIMEOUT', timeout]], 'settings are in the files of the operator');
});

/** Starts compose.yaml's Redis, with its settings, by the redis-server of this machine. */
async function startRedis(t: Test): Promise<number> {
  const port = await freePort();
  const [, ...args] = service('redis').command ?? [];
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', newDirectory(t)];
  const redis = startChild(t, { command: 'redis-server', args: [...args, ...own] });
  await redis.line(/Ready to accept connections/);
  return port;
}

/** Runs a command in Redis; resolves with what redis-cli shows of the answer. */
async function redisCli(t: Test, port: number, ...words: readonly string[]): Promise<string> {
  const client = startChild(t, { command: 'redis-cli', args: ['-e', '-p', String(port), ...words] });
  t.match(await client.exited, { code: 0 }, client.stdout + client.stderr);
  return client.stdout;
}

t.test('compose.yaml: Redis starts with the settings given', async (t) => {
  const port = await startRedis(t);
  const got = await redisCli(t, port, 'config', 'get', 'append*', 'maxmemory-policy', 'client-output-buffer-limit');
  t.match(got, /appendonly\nyes\n/);
  t.match(got, /maxmemory-policy\nnoeviction\n/);
  t.match(got, / pubsub 268435456 67108864 60\n/);
});

/** Makes the user of docs/operations.md, and resolves with how it is written in a URL. */
async function makeUser(t: Test, port: number): Promise<string> {
  const page = readFileSync(join(root, 'docs', 'operations.md'), 'utf8');
  const [, rights = ''] = /^ACL SETUSER holdfast on >password ([^`]+)```/m.exec(page) ?? [];
  await redisCli(t, port, 'ACL', 'SETUSER', 'holdfast', 'on', '>password', ...rights.trim().split(/\s+/));
  return 'holdfast:password';
}

t.test('compose.yaml, as processes: what goes to one node reaches the clients of all', async (t) => {
  const port = await startRedis(t);
  const redis = `${await makeUser(t, port)}@127.0.0.1:${port}`;
  const control = await freePort();
  const origin = startChild(t, {
    command: process.execPath,
    args: [join(root, 'examples', 'express-origin', 'server.mjs')],
    env: { HOST: '127.0.0.1', PORT: '0', GRIP_URL: `http://127.0.0.1:${control}/` },
  });
  const [, target = ''] = await origin.line(/listening on http:\/\/(\S+)\n/);
  const here = (value: string) =>
    value.replace('redis:6379', redis).replace('origin:3000', target).replace('0.0.0.0', '127.0.0.1');
  const started = await Promise.all(
    nodes.map((name) => {
      const settings = Object.entries(service(name).environment ?? {}).map(([key, value]) => [key, here(value)]);
      // The origin publishes to the first; see GRIP_URL there.
      const own = String(name === 'node1' ? control : 0);
      return startHoldfast(t, { env: { ...Object.fromEntries(settings), HOLDFAST_PUSH_IN_HTTP_PORT: own } });
    }),
  );
  const streams = await Promise.all(started.map(({ clients }) => open(t, `${clients}/stream`)));
  await Promise.all(streams.map((stream) => stream.until('[stream opened]\n')));

  const last = started[2]?.clients;
  for (const body of ['one', 'two'])
    t.match(await ask(t, `${last}/publish`, { method: 'POST', body }), { status: 200 });
  await Promise.all(streams.map((stream) => stream.until('data: two\n\n')));
  for (const stream of streams) t.equal(stream.text, '[stream opened]\ndata: one\n\ndata: two\n\n');
  for (const node of started) t.match(await ask(t, `${node.url('admin')}/readyz`), { status: 200, text: 'ok\n' });
  t.equal((await redisCli(t, port, 'ACL', 'LOG')).trim(), '', 'the user has all rights that nodes need');
});
