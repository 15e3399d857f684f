/** scripts/release.mjs and what release.yml publishes: one version everywhere, the names that the packages have, the image of the chart. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { root, startChild } from '../../kit/child.js';
import { newDirectory } from '../../kit/holdfast.js';
import { manifestsOf, renderChart } from '../../kit/kubernetes/chart.js';

const manifest = (name: string) => JSON.parse(readFileSync(join(root, name, 'package.json'), 'utf8'));
const version: string = manifest('proxy').version;
const script = join(root, 'scripts', 'release.mjs');

t.test('a tag has to be the version of all that is published', async (t) => {
  const check = async (tag: string) => {
    const run = startChild(t, { command: process.execPath, args: [script, 'check', tag] });
    const { code } = await run.exited;
    return { code, stdout: run.stdout, stderr: run.stderr };
  };
  t.strictSame(await check(`v${version}`), { code: 0, stdout: `${version}\n`, stderr: '' });
  const other = await check('v999.0.0');
  t.match(other, { code: 1, stdout: '' });
  const places = ['package.json', 'grip/package.json', 'control-api/package.json', 'proxy/package.json'];
  for (const place of [...places, 'deploy/helm/holdfast/Chart.yaml', 'deploy/argocd/apps/values.yaml'])
    t.match(other.stderr, `\n${place}: ${version}\n`);
  t.match(await check(version), { code: 1, stderr: /is not v and a version/ });
});

t.test('the published chart has the published image as its default, and nothing else is changed', async (t) => {
  const folder = join(newDirectory(t), 'chart');
  execFileSync(process.execPath, [script, 'chart', folder, 'ghcr.io/me/holdfast']);
  const { plain } = await renderChart({ plain: {} }, { folder });
  const node = manifestsOf(plain).find(({ kind }) => kind === 'Deployment');
  t.equal(node.spec.template.spec.containers[0].image, `ghcr.io/me/holdfast:${version}`);
  const own = join(root, 'deploy', 'helm', 'holdfast');
  t.equal(
    readFileSync(join(folder, 'values.yaml'), 'utf8').replace('ghcr.io/me/holdfast', 'holdfast'),
    readFileSync(join(own, 'values.yaml'), 'utf8'),
  );
  t.throws(() => execFileSync(process.execPath, [script, 'chart', folder, 'ghcr.io/me/holdfast'], { stdio: 'pipe' }));
  const refused = join(newDirectory(t), 'chart');
  t.throws(() => execFileSync(process.execPath, [script, 'chart', refused, 'a b'], { stdio: 'pipe' }), /no image/);
  t.notOk(existsSync(refused));
});

t.test(
  'release.yml publishes what npm run pack writes, lowest first, and image and chart by their names',
  async (t) => {
    const { jobs } = parse(readFileSync(join(root, '.github', 'workflows', 'release.yml'), 'utf8'));
    const runs: string = Object.values<{ steps: { run?: string }[] }>(jobs)
      .flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []))
      .join('\n');
    const [, names = ''] = /for name in (.*); do\n\s*npm publish/.exec(runs) ?? [];
    const packages = ['grip', 'control-api', 'proxy'].map((folder) => manifest(folder).name);
    t.strictSame(
      names.split(' '),
      packages.map((name) => name.replace('@', '').replace('/', '-')),
    );
    const { name } = parse(readFileSync(join(root, 'deploy', 'helm', 'holdfast', 'Chart.yaml'), 'utf8'));
    t.match(runs, `helm push "$RUNNER_TEMP/${name}-`);
    for (const flag of ['--provenance=mode=max', '--sbom=true', '--provenance --access public']) t.match(runs, flag);
    const built = jobs.image.strategy.matrix.include.map(({ architecture }: { architecture: string }) => architecture);
    t.strictSame(built, ['amd64', 'arm64']);
    for (const architecture of built) t.match(runs, `"$image-${architecture}"`);
    t.strictSame(jobs.test.steps.at(-1), { run: '.ci/run' }, 'nothing is published that does not pass');
    for (const job of ['image', 'npm']) t.equal(jobs[job].needs, 'test');
  },
);
