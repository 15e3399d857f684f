// The programs outside npm that tests call: the one list of them, and their installation on Debian.
// A test that starts to call another program adds a line here and nothing else.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root, runStep } from './setup.mjs';

/**
 * @typedef {object} SystemPackage
 * @property {string} command  program looked for on PATH, or its file; where that is unpacked only, below {@link unpackedDir} too
 * @property {string} debian  Debian package that brings it
 * @property {string[]} [libraries]  Debian packages that the program needs to run; given where the package itself is
 *   unpacked below {@link unpackedDir} and not installed, because installing it would start a daemon
 * @property {string[]} [extras]  Debian packages that its tests need too
 * @property {string} neededFor  what stays untested without it
 * @property {string[]} callers  test sources that start it, paths from the root; a test file that is one of them, or imports one
 *   by whatever way, is skipped when the program is missing and cannot be installed; empty where tests skip themselves
 */

/** Where packages are unpacked that must not be installed; the tests look there too. */
export const unpackedDir = path.join(root, 'node_modules', '.cache', 'debian');

/** @type {SystemPackage[]} */
export const systemPackages = [
  {
    command: 'caddy',
    debian: 'caddy',
    neededFor: 'the recipe for Caddy in front of nodes',
    callers: ['proxy/test/e2e/balancers/recipes.ts'],
  },
  {
    command: 'chromium',
    debian: 'chromium',
    neededFor: 'end-to-end tests with a browser as the client',
    callers: [
      'proxy/test/e2e/holds/poll-browser.test.ts',
      'proxy/test/e2e/websockets/browser-same.test.ts',
      'proxy/test/e2e/websockets/browser.test.ts',
      'proxy/test/sockjs/e2e-browser.test.ts',
    ],
  },
  {
    command: 'curl',
    debian: 'curl',
    neededFor: 'end-to-end tests with curl as the client, the smoke test of a system',
    callers: ['proxy/test/e2e/deployment/smoke.test.ts', 'proxy/test/e2e/proxy/curl.test.ts'],
  },
  {
    // By its path, as others of that name may be on PATH, of other Pythons.
    command: '/usr/bin/django-admin',
    debian: 'python3-django',
    neededFor: 'the quick start for Django',
    callers: ['proxy/test/e2e/guides/quickstart-django.test.ts'],
  },
  {
    command: '/usr/bin/flask',
    debian: 'python3-flask',
    neededFor: 'the quick start for Flask',
    callers: ['proxy/test/e2e/guides/quickstart-flask.test.ts'],
  },
  {
    command: 'go',
    debian: 'golang-go',
    extras: ['golang-github-masterminds-sprig-dev', 'golang-k8s-sigs-yaml-dev'],
    neededFor: 'tests of the Helm charts, with a renderer in Go, and the quick start for Go',
    callers: ['proxy/test/e2e/guides/quickstart-go.test.ts', 'proxy/test/kit/kubernetes/chart.ts'],
  },
  {
    command: 'haproxy',
    debian: 'haproxy',
    neededFor: 'end-to-end tests with HAProxy in front',
    callers: ['proxy/test/e2e/balancers/recipes.ts', 'proxy/test/e2e/proxy/client-address.test.ts'],
  },
  {
    command: 'kubectl',
    debian: 'kubernetes-client',
    neededFor: 'what kustomize builds of the manifests in deploy/',
    callers: ['proxy/test/e2e/deployment/gitops.test.ts', 'proxy/test/e2e/deployment/kustomize.test.ts'],
  },
  {
    command: 'nginx',
    debian: 'nginx-light',
    neededFor: 'end-to-end tests with nginx in front',
    callers: ['proxy/test/e2e/balancers/recipes.ts', 'proxy/test/e2e/proxy/client-address.test.ts'],
  },
  {
    command: 'openssl',
    debian: 'openssl',
    neededFor: 'certificates made on the spot for the TLS tests',
    callers: [
      'control-api/test/backplane/redis/access.test.ts',
      'proxy/test/edge/certificate-files.ts',
      'proxy/test/kit/certificates.ts',
    ],
  },
  {
    command: 'prosody',
    debian: 'prosody',
    neededFor: 'end-to-end tests with an XMPP server and its clients',
    callers: ['proxy/test/kit/prosody.ts'],
  },
  {
    command: 'redis-server',
    debian: 'redis-server',
    neededFor: 'the Redis backplane, with servers of its own on free ports',
    callers: [
      'control-api/test/backplane/redis/redis-fixture.ts',
      'proxy/test/e2e/operation/deploy.test.ts',
      'proxy/test/kit/redis.ts',
    ],
  },
  {
    command: 'php',
    debian: 'php-cli',
    neededFor: 'the quick start for PHP',
    callers: ['proxy/test/e2e/guides/quickstart-php.test.ts'],
  },
  {
    // With `promtool`. Without its daemon, which would take its default port.
    command: '/usr/bin/prometheus',
    debian: 'prometheus',
    libraries: [],
    neededFor: 'the queries of the Grafana board and of the alerts, asked of a real Prometheus',
    callers: ['proxy/test/e2e/observe/prometheus.ts'],
  },
  {
    // Without its daemon, which would take the default ports. By its path: our own command of that name is on npm's PATH.
    command: '/usr/bin/pushpin-publish',
    debian: 'pushpin',
    libraries: ['libzmq5'],
    neededFor: "tests that hold our publish command against Debian's pushpin-publish",
    callers: [],
  },
  {
    command: 'ss',
    debian: 'iproute2',
    neededFor: 'what the kernel says of the options of client connections',
    callers: [],
  },
  {
    command: 'taskset',
    debian: 'util-linux',
    neededFor: 'the part of the bench in which a node has one core',
    callers: ['bench/test/smoke.test.ts'],
  },
];

/** Imports of test files of the same package. */
const testImports = /(?:from|import\()\s*'(\.[^']*)\.js'/g;

/** @param {string} source  path from the root @returns {string[]} the test sources that it imports */
function importsOf(source) {
  const text = readFileSync(path.join(root, source), 'utf8');
  const files = [...text.matchAll(testImports)].map(([, to]) =>
    path.posix.join(path.posix.dirname(source), `${to}.ts`),
  );
  return files.filter((file) => existsSync(path.join(root, file)));
}

/**
 * Whether a test needs a program: whether it, or what it imports, starts it.
 *
 * @param {string} test  source, path from the root
 * @param {SystemPackage} entry
 */
export function isCalledBy(test, { callers }) {
  const files = new Set([test]);
  for (const file of files) for (const imported of importsOf(file)) files.add(imported);
  return callers.some((file) => files.has(file));
}

/** @param {string} file */
function isProgram(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
}

/** @param {SystemPackage} entry */
function isThere(entry) {
  return hasProgram(entry) && hasExtras(entry);
}

/** Somebody may have installed the program alone. @param {SystemPackage} entry */
function hasExtras({ extras = [] }) {
  if (extras.length === 0) return true;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of dpkg-query
  const query = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Abbrev}\n', ...extras], { encoding: 'utf8' });
  return (
    query.status === 0 &&
    query.stdout
      .trim()
      .split('\n')
      .every((state) => state.startsWith('ii'))
  );
}

/** @param {SystemPackage} entry */
function hasProgram({ command, libraries }) {
  if (path.isAbsolute(command) && isProgram(command)) return true;
  if (libraries !== undefined) return isProgram(path.join(unpackedDir, command));
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => isProgram(path.join(folder, command)));
}

/** apt-get as root is the only way of installing that needs no question answered. */
function canInstall() {
  return (
    process.platform === 'linux' &&
    process.getuid?.() === 0 &&
    existsSync('/etc/debian_version') &&
    spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0
  );
}

/** @param {SystemPackage[]} missing */
function installWithApt(missing) {
  process.env.DEBIAN_FRONTEND = 'noninteractive';
  // Without fresh lists apt-get on a new machine finds no package at all.
  runStep('apt-get', ['update', '-qq']);
  const names = missing.flatMap(({ debian, libraries, extras = [] }) => libraries ?? [debian, ...extras]);
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...names];
  // Packages of servers start them, on ports that may be taken. Debian asks this program whether they may.
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    runStep('apt-get', install);
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
  for (const { debian, libraries } of missing) if (libraries !== undefined) unpack(debian);
}

/** @param {string} debian */
function unpack(debian) {
  mkdirSync(unpackedDir, { recursive: true });
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-debian-'));
  try {
    // In a folder of its own the file's name, which holds the version, needs not be known. apt's own user may not write
    // there, about which it warns.
    runStep('sh', [
      '-c',
      'cd "$0" && apt-get download -qq "$1" && dpkg-deb -x ./*.deb "$2"',
      folder,
      debian,
      unpackedDir,
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Installs what is missing where that is possible and says loudly, on stderr, what is not there in
 * the end.
 *
 * @returns {SystemPackage[]} the ones still missing; tests that need them are skipped
 * @throws Error when a caller in the list does not exist: its tests would fail where the program is missing
 */
export function ensureSystemPackages() {
  for (const file of systemPackages.flatMap(({ callers }) => callers)) {
    if (!existsSync(path.join(root, file)))
      throw new Error(`scripts/system-packages.mjs names ${file}, which does not exist`);
  }
  const missing = systemPackages.filter((entry) => !isThere(entry));
  if (missing.length === 0) return [];
  if (canInstall()) {
    try {
      installWithApt(missing);
    } catch (error) {
      process.stderr.write(`WARNING: ${error instanceof Error ? error.message : error}\n`);
    }
  }
  const stillMissing = missing.filter((entry) => !isThere(entry));
  for (const { command, debian, neededFor } of stillMissing) {
    process.stderr.write(
      `WARNING: '${command}' is not installed, so this is SKIPPED: ${neededFor}. (Debian package: ${debian})\n`,
    );
  }
  return stillMissing;
}
