/** How many connections the kernel keeps for a node that has not accepted them yet, as after a restart, when all clients come back. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { WAITING_CONNECTIONS } from '../../../dist/edge/uws/edge.js';
import { startHoldfast } from '../../kit/holdfast.js';

const hasSs = spawnSync('ss', ['-V']).status === 0;
const skip = !hasSs && 'SKIPPED: there is no ss(8), so the kernel was not asked';

for (const edge of ['node', 'uws']) {
  t.test(`edge: ${edge} asks for a long queue`, { skip }, async (t) => {
    const holdfast = await startHoldfast(t, { settings: { edge }, routes: ['* test'] });
    const { port } = new URL(holdfast.url('clients'));
    const { stdout } = spawnSync('ss', ['-ltnH', 'sport', '=', `:${port}`], { encoding: 'utf8' });
    const [, , length] = stdout.trim().split(/ +/);
    const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
    t.equal(Number(length), Math.min(WAITING_CONNECTIONS, most), stdout);
  });
}
