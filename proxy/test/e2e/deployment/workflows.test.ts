/** .github/workflows: actions are pinned, rights are small, jobs end, and what is run exists. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { root } from '../../kit/child.js';

interface Job {
  readonly 'timeout-minutes'?: number;
  readonly strategy?: { readonly matrix?: { readonly node?: readonly number[] } };
  readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
}
interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: object;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(root, '.github', 'workflows');

for (const file of readdirSync(folder)) {
  t.test(file, async (t) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const { permissions, concurrency, jobs } = parse(text) as Workflow;
    t.strictSame(permissions, { contents: 'read' }, 'a job that needs more asks for it');
    t.ok(concurrency);
    for (const line of text.split('\n').filter((line) => /\buses:/.test(line)))
      t.match(line, /uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, 'an action by digest, with its version');
    for (const [name, job] of Object.entries(jobs)) {
      t.type(job['timeout-minutes'], 'number', `${name} ends`);
      for (const run of job.steps.flatMap(({ run = '' }) => run.split('\n')))
        for (const [path] of run.matchAll(/(?<!\S)(?:\.ci|scripts|deploy)\/[\w./-]+/g)) {
          t.ok(existsSync(join(root, path)), path);
          if (run.trimStart().startsWith(path)) t.ok(statSync(join(root, path)).mode & 0o100, `${path} can be run`);
        }
    }
  });
}

t.test('ci.yml runs what a change must pass, from the oldest Node that is allowed', async (t) => {
  const { jobs } = parse(readFileSync(join(folder, 'ci.yml'), 'utf8')) as Workflow;
  t.ok(jobs.run?.steps.some(({ run }) => run === '.ci/run'));
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } };
  const [, oldest] = /^>=(\d+)\./.exec(engines.node) ?? [];
  t.equal(Math.min(...(jobs.run?.strategy?.matrix?.node ?? [])), Number(oldest));
});
