/** The npm packages: each installs alone in an empty folder, and what is installed serves clients on every version of Node. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { root, startChild } from '../../kit/child.js';
import { newDirectory } from '../../kit/holdfast.js';
import { consumer } from './package-consumer.js';

interface Tarball {
  readonly name: string;
  readonly file: string;
  readonly size: number;
}
const { packPackages } = (await import(join(root, 'scripts', 'pack.mjs'))) as {
  packPackages: (to: string) => Promise<readonly Tarball[]>;
};
const { nodeMajors, nodeBinary } = (await import(join(root, 'scripts', 'nodes.mjs'))) as {
  nodeMajors: readonly number[];
  nodeBinary: (major: number) => string;
};

const home = newDirectory(t);
const tarballs = await packPackages(join(home, 'tarballs'));
const fileOf = (name: string) => tarballs.find((tarball) => tarball.name === name)?.file as string;

/** Runs a program in a folder, with this version of node first in the path; resolves with its standard output. */
async function run(t: Test, cwd: string, node: string, command: string, ...args: string[]): Promise<string> {
  const child = startChild(t, { command, args, cwd, env: { PATH: `${dirname(node)}:${process.env.PATH}` } });
  t.match(await child.exited, { code: 0 }, `${command} ${args.join(' ')}\n${child.stdout}${child.stderr}`);
  return child.stdout;
}

const npmInstall = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];

/**
 * A new folder with packages installed in it. `from` is one of them that another version of node has filled: npm changes what is
 * different for this one, which is a quarter of the work.
 */
async function install(t: Test, name: string, node: string, files: readonly string[], from?: string): Promise<string> {
  const folder = join(home, name);
  if (from !== undefined) cpSync(from, folder, { recursive: true, verbatimSymlinks: true });
  else {
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  }
  await run(t, folder, node, 'npm', ...npmInstall, ...files);
  return folder;
}

t.test('the tarballs hold code, types, license and README, and nothing of a checkout', async (t) => {
  t.strictSame(
    tarballs.map(({ name }) => name),
    ['@holdfast/grip', '@holdfast/control-api', 'holdfast'],
  );
  for (const { name, file, size } of tarballs) {
    const list = execFileSync('tar', ['tzf', file], { encoding: 'utf8' }).trim().split('\n');
    const odd = list.filter(
      (path) =>
        !/^package\/(((dist|within|bin|ui)\/.*\.js|ui\/[^/]+\.(html|css)|(dist|within)\/.*\.d\.ts)|[^/]+)$/.test(path),
    );
    t.strictSame(odd, [], name);
    t.ok(['LICENSE', 'README.md', 'package.json', 'dist/index.d.ts'].every((path) => list.includes(`package/${path}`)));
    const manifest = JSON.parse(execFileSync('tar', ['xzOf', file, 'package/package.json'], { encoding: 'utf8' }));
    t.match(manifest, { name, license: 'MIT', engines: { node: String }, keywords: [] });
    t.notOk('scripts' in manifest || 'devDependencies' in manifest);
    t.ok(size < 1_500_000, `${name}: ${size} bytes`);
  }
});

t.test('a workspace itself cannot be packed by mistake', async (t) => {
  const child = startChild(t, { command: 'npm', args: ['pack', '--dry-run'], cwd: join(root, 'proxy') });
  t.match(await child.exited, { code: 1 });
  t.match(child.stderr, /npm run pack/);
});

t.test('grip and control-api install from their tarballs', async (t) => {
  const files = [fileOf('@holdfast/grip'), fileOf('@holdfast/control-api')];
  const folder = await install(t, 'parts', process.execPath, ['--omit=optional', ...files]);
  const script = "const { Publisher } = await import('@holdfast/control-api'); console.log(typeof Publisher)";
  t.equal(await run(t, folder, process.execPath, process.execPath, '--input-type=module', '-e', script), 'function\n');
});

t.test('npm install --global gives the commands', async (t) => {
  const prefix = join(home, 'global');
  await run(
    t,
    home,
    process.execPath,
    'npm',
    ...npmInstall,
    '--omit=optional',
    '--global',
    '--prefix',
    prefix,
    fileOf('holdfast'),
  );
  for (const command of ['holdfast', 'pushpin'])
    t.match(await run(t, home, process.execPath, join(prefix, 'bin', command), '--version'), /^holdfast \d/);
  t.match(await run(t, home, process.execPath, join(prefix, 'bin', 'pushpin-publish'), '--help'), /<channel>/);
});

/** What the compiler makes of the program, by the version of node that it is checked for. */
async function compile(t: Test, folder: string): Promise<void> {
  writeFileSync(join(folder, 'consumer.ts'), consumer);
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const common = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--types', 'node', 'consumer.ts'];
  const types = ['--skipLibCheck', '--typeRoots', join(root, 'node_modules', '@types')];
  const { execPath } = process;
  await run(
    t,
    folder,
    execPath,
    execPath,
    tsc,
    '--noEmit',
    '--module',
    'esnext',
    '--moduleResolution',
    'bundler',
    ...types,
    ...common,
  );
  await run(
    t,
    folder,
    execPath,
    execPath,
    tsc,
    '--module',
    'nodenext',
    '--moduleResolution',
    'nodenext',
    ...types,
    ...common,
  );
}

/** Where the first version of node has installed the package, and the program is compiled. */
let first: string | undefined;

for (const major of nodeMajors) {
  t.test(`Node ${major}: a program with the package in its folder starts nodes, and the command runs`, async (t) => {
    const node = nodeBinary(major);
    const folder = await install(t, `node-${major}`, node, [fileOf('holdfast')], first);
    if (first === undefined) await compile(t, folder);
    first = folder;
    const edges = readdirSync(join(folder, 'node_modules', '@uwsjs')).length > 0 ? ['node', 'uws'] : ['node'];
    for (const edge of edges) {
      const child = startChild(t, { command: node, args: ['consumer.js', edge], cwd: folder });
      const { code } = await child.exited;
      if (edge === 'uws' && /needs glibc \d/.test(child.stdout)) {
        t.match(
          child.stdout,
          /^EdgeError ERR_EDGE_UNAVAILABLE edge uws: .* needs glibc [\d.]+, and this system has [\d.]+: use /,
        );
        continue;
      }
      t.equal(code, 0, child.stderr);
      t.equal(
        child.stdout,
        `${process.versions.node.split('.')[0] === String(major) ? process.version : child.stdout.split('\n')[0]}\nstream hello\nwebsocket hello\nended\n`,
        edge,
      );
      t.match(child.stdout, new RegExp(`^v${major}\\.`));
    }
    t.match(await run(t, folder, node, 'npx', '--no-install', 'holdfast', '--version'), /^holdfast \d/);
    const env = {
      PATH: `${dirname(node)}:${process.env.PATH}`,
      HOLDFAST_HTTP_PORT: '127.0.0.1:0',
      HOLDFAST_PUSH_IN_HTTP_PORT: '0',
    };
    const command = startChild(t, {
      command: join(folder, 'node_modules/.bin/holdfast'),
      args: ['--route', '* test'],
      cwd: folder,
      env,
    });
    await command.line(/ started(?:"\})?\n/);
    command.signal('SIGTERM');
    t.match(await command.exited, { code: 0 });
  });
}
