// The programs outside npm that tests call: the one list of them, and their installation on Debian.
// A test that starts to call another program adds a line here and nothing else.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runStep } from './setup.mjs';

/**
 * @typedef {object} SystemPackage
 * @property {string} command  program looked for on PATH
 * @property {string} debian  Debian package that brings it
 * @property {string} neededFor  what stays untested without it
 * @property {string[]} tests  test sources that call it (start of the path from the root); when the
 *   program is missing and cannot be installed, these files are skipped
 */

/** @type {SystemPackage[]} */
export const systemPackages = [
  {
    command: 'chromium',
    debian: 'chromium',
    neededFor: 'end-to-end tests with a browser as the client',
    tests: ['proxy/test/e2e/ws-browser', 'proxy/test/sockjs/e2e-browser'],
  },
  {
    command: 'curl',
    debian: 'curl',
    neededFor: 'end-to-end tests with curl as the client',
    tests: ['proxy/test/e2e/curl'],
  },
  {
    command: 'openssl',
    debian: 'openssl',
    neededFor: 'certificates made on the spot for the TLS tests',
    tests: [
      'proxy/test/e2e/tls',
      'proxy/test/e2e/ws-tls',
      'proxy/test/edge/node-tls',
      'proxy/test/origin/client-tls',
      'proxy/test/sessions/ws-origin-connect',
      'control-api/test/backplane/redis/access',
    ],
  },
  {
    command: 'redis-server',
    debian: 'redis-server',
    neededFor: 'the Redis backplane, with servers of its own on free ports',
    tests: [
      'control-api/test/backplane/redis/access',
      'control-api/test/backplane/redis/catch-up',
      'control-api/test/backplane/redis/cluster',
      'control-api/test/backplane/redis/faults',
      'control-api/test/backplane/redis/history',
      'control-api/test/backplane/redis/sentinel',
      'control-api/test/backplane/redis/standalone',
      'control-api/test/nodes/redis',
    ],
  },
];

/** @param {string} command */
function isOnPath(command) {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => {
    const file = statSync(path.join(folder, command), { throwIfNoEntry: false });
    return file?.isFile() === true && (file.mode & 0o111) !== 0;
  });
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
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing.map((entry) => entry.debian)];
  // Packages of servers start them, on ports that may be taken. Debian asks this program whether they may.
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    runStep('apt-get', install);
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

/**
 * Installs what is missing where that is possible and says loudly, on stderr, what is not there in
 * the end.
 *
 * @returns {SystemPackage[]} the ones still missing; whoever runs tests skips their files
 */
export function ensureSystemPackages() {
  const missing = systemPackages.filter((entry) => !isOnPath(entry.command));
  if (missing.length === 0) return [];
  if (canInstall()) {
    try {
      installWithApt(missing);
    } catch (error) {
      process.stderr.write(`WARNING: ${error instanceof Error ? error.message : error}\n`);
    }
  }
  const stillMissing = missing.filter((entry) => !isOnPath(entry.command));
  for (const { command, debian, neededFor } of stillMissing) {
    process.stderr.write(
      `WARNING: '${command}' is not installed, so this is SKIPPED: ${neededFor}. (Debian package: ${debian})\n`,
    );
  }
  return stillMissing;
}
