/** .github/workflows: actions are pinned, rights are small, jobs end, and what is run exists. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { root } from '../../kit/child.js';
import { newDirectory, runHoldfast } from '../../kit/holdfast.js';
import { type Manifest, manifestsOf, renderChart } from '../../kit/kubernetes/chart.js';
import { writePod } from '../../kit/kubernetes/pod-files.js';
import { readDockerfile } from '../operation/deployment.js';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly 'timeout-minutes'?: number;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly needs?: string | readonly string[];
  readonly strategy?: { readonly matrix?: { readonly node?: readonly number[] } };
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: object;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(root, '.github', 'workflows');
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const manifest = (name: string) => JSON.parse(readFileSync(join(root, name, 'package.json'), 'utf8'));
const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps }) => steps);
const runsOf = (workflow: Workflow) => stepsOf(workflow).flatMap(({ run }) => run ?? []);

for (const file of readdirSync(folder)) {
  t.test(file, async (t) => {
    const text = read(file);
    const workflow = parse(text) as Workflow;
    t.strictSame(workflow.permissions, { contents: 'read' }, 'a job that needs more asks for it');
    t.ok(workflow.concurrency);
    for (const line of text.split('\n').filter((line) => /\buses:/.test(line)))
      t.match(line, /uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, 'an action by digest, with its version');
    for (const [name, job] of Object.entries(workflow.jobs)) {
      t.type(job['timeout-minutes'], 'number', `${name} ends`);
      for (const needed of [job.needs ?? []].flat()) t.ok(needed in workflow.jobs, `${name} needs ${needed}`);
      const writes = Object.entries(job.permissions ?? {}).filter(([, right]) => right !== 'read');
      if (file !== 'release.yml') t.strictSame(writes, [], `${name} writes nothing`);
      for (const [what] of writes) t.ok(['packages', 'id-token'].includes(what), `${name} may write ${what}`);
    }
    for (const run of runsOf(workflow)) {
      t.notMatch(run, /\$\{\{/, 'no expression is put into a script, only into its environment');
      const syntax = spawnSync('bash', ['-n'], { input: run, encoding: 'utf8' });
      t.equal(syntax.stderr, '', run);
      for (const [path] of run.matchAll(/(?<!\S)(?:\.ci|scripts|deploy)\/[\w./-]+/g))
        t.ok(existsSync(join(root, path)), path);
      for (const [, path = ''] of run.matchAll(/^\s*((?:\.ci|scripts|deploy)\/[\w./-]+)/gm))
        t.ok(statSync(join(root, path)).mode & 0o100, `${path} can be run`);
      for (const [, script = ''] of run.matchAll(/\bnpm run (\w+)/g)) t.ok(script in manifest('.').scripts, script);
      for (const [, target = ''] of run.matchAll(/--target (\S+)/g)) t.ok(readDockerfile().has(target), target);
    }
  });
}

t.test('ci.yml runs what a change must pass, from the oldest Node that is allowed', async (t) => {
  const { jobs } = parse(read('ci.yml')) as Workflow;
  t.ok(jobs.run?.steps.some(({ run }) => run === '.ci/run'));
  const [, oldest] = /^>=(\d+)\./.exec(manifest('.').engines.node) ?? [];
  t.equal(Math.min(...(jobs.run?.strategy?.matrix?.node ?? [])), Number(oldest));
});

t.test('kind.yml: the chart and Holdfast take its values, and find its Secret and its ports', async (t) => {
  const script = runsOf(parse(read('kind.yml'))).join('\n');
  const [, values = ''] = /<<'VALUES'\n([\s\S]*?)\nVALUES\n/.exec(script) ?? [];
  const given: Manifest = parse(values);
  const { kind } = await renderChart({ kind: given });
  const manifests = manifestsOf(kind);
  const nodes = manifests.find((each) => each.kind === 'Deployment');
  const { containers, volumes } = nodes.spec.template.spec;
  const [, keys = ''] = /printf -- '(.*?)\\n'/.exec(script) ?? [];
  const secrets = { 'sig-key': 'secret', 'control-keys': keys.replace('%s', 'key') };
  const directory = newDirectory(t);
  const { args, env } = writePod(nodes.spec.template.spec, manifests, secrets, directory);
  const check = runHoldfast(t, { directory, args: ['check-config', ...args], env });
  t.match(await check.exited, { code: 0 }, check.stderr);

  const secret = volumes.find((volume: Manifest) => volume.secret)?.secret;
  t.match(script, new RegExp(`create secret generic ${secret.secretName} `));
  for (const { key } of secret.items) t.match(script, new RegExp(`--from-(literal|file)=${key}=`), key);
  for (const [, port] of script.matchAll(/port-forward \S+ \d+:(\d+)/g))
    t.ok(
      containers[0].ports.some(({ containerPort }: Manifest) => containerPort === Number(port)),
      `port ${port}`,
    );
  for (const [, label = '', value] of script.matchAll(/(app\.kubernetes\.io\/[\w-]+)=([\w-]+)/g))
    t.equal(nodes.spec.template.metadata.labels[label], value, label);
  t.equal(given.image.repository, 'holdfast');
  t.match(script, `docker build -f deploy/Dockerfile --target holdfast -t holdfast:${given.image.tag} .`);
});
