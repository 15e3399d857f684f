/**
 * The hostile input of every run of the tests, on one edge: the same cases each time, then some that nobody has tried
 * yet.
 */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { Campaign, formatFinding } from './campaign.js';
import { kinds } from './kinds.js';
import type { EdgeName } from './node-under-test.js';

/** Cases of every run: as many as are played together. */
const FIXED_SEED = 'every-run';
/** How long new cases of one kind are begun. */
const NEW_MS = 1_000;

const hasRedis = () => spawnSync('redis-server', ['--version']).status === 0;

/** Plays all kinds. */
export function testHostileInput(edge: EdgeName): void {
  t.setTimeout(540_000);
  const seed = String(Date.now() % 1_000_000_000);
  t.comment(`new cases are of seed ${seed}`);
  for (const kind of kinds) {
    const skip = kind.fixture === 'redis' && !hasRedis() ? 'redis-server is missing' : false;
    t.test(`hostile input, with edge: ${edge}: ${kind.name}`, { skip, timeout: 120_000 }, async (t) => {
      const count = kind.together ?? 12;
      const known = await new Campaign(kind, { edge, seed: FIXED_SEED, count }).run();
      const fresh = await new Campaign(kind, { edge, seed, deadline: Date.now() + NEW_MS }).run();
      t.comment(`${known.played} cases of every run, ${fresh.played} new ones of seed ${seed}`);
      t.strictSame([...known.findings, ...fresh.findings].map(formatFinding), []);
    });
  }
}
