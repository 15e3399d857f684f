import { spawn } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

t.setTimeout(300_000);

/** Tests of the whole command that are as true with the uws edge, and show what it is there for. */
const files = [
  'holds/fan-out',
  'holds/slow-reader',
  'holds/links',
  'proxy/origin-trust',
  'proxy/cross-origin',
  'holds/item-limits',
  'holds/compressed-streams',
  'codings/compression',
  'proxy/origin-connections',
];

for (const file of files) {
  t.test(`${file} with edge: uws`, { timeout: 120_000 }, async (t) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, `${file}.test.js`)], {
      env: { ...process.env, TEST_EDGE: 'uws', TAP_BAIL: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill());
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    const code = await new Promise((resolve) => child.once('close', resolve));
    t.equal(
      code,
      0,
      Buffer.concat(output)
        .toString()
        .match(/^\s*not ok .*$/m)?.[0] ?? 'passes',
    );
  });
}
