/**
 * deploy/compose.observe.yaml fits to the nodes of compose.yaml, and its parts to one another. No image is started: what Prometheus
 * reads is checked by `promtool`, and a Prometheus scrapes a node as its file says.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { root } from '../../kit/child.js';
import { newDirectory, startHoldfast } from '../../kit/holdfast.js';
import { readCompose, readDockerfile, type Service, type Stage } from '../operation/deployment.js';
import { readBoard } from './board.js';
import { Prometheus, prometheusProgram } from './prometheus.js';

const { services: nodes } = readCompose();
const { services, volumes } = readCompose('compose.observe.yaml');
const image = readDockerfile().get('holdfast') as Stage;
const deploy = (path: string) => join(root, 'deploy', path);
const read = (path: string) => readFileSync(deploy(path), 'utf8');

/** Source and place of what a service mounts. */
const mountsOf = ({ volumes: mounted = [] }: Service) =>
  mounted.map((mount) => {
    const [source = '', place = '', mode] = mount.split(':');
    return { source, place, mode };
  });
/** The file in deploy/ that a service finds at a place. */
const sourceOf = (service: Service, place: string) => mountsOf(service).find((mount) => mount.place === place)?.source;
const named = (name: string) => services[name] as Service;

interface Scraping {
  readonly rule_files: readonly string[];
  readonly scrape_configs: readonly {
    readonly job_name: string;
    readonly dns_sd_configs: readonly { readonly names: readonly string[]; readonly port: number }[];
  }[];
}
const scraping = parse(read('observe/prometheus.yaml')) as Scraping;

t.test('what is mounted exists, read-only, and ports are those of this machine alone', async (t) => {
  t.strictSame(Object.keys(services), ['prometheus', 'grafana']);
  const published = [...Object.values(nodes), ...Object.values(services)].flatMap(({ ports = [] }) => ports);
  t.equal(new Set(published.map((port) => port.split(':')[1])).size, published.length, 'no port twice');
  for (const [name, service] of Object.entries(services)) {
    t.notOk(name in nodes, `${name} is no service of compose.yaml`);
    t.match(service.image, /^[\w./-]+:v?\d+\.\d+\.\d+$/, 'a version, not what is newest');
    for (const port of service.ports ?? []) t.match(port, /^127\.0\.0\.1:\d+:\d+$/);
    for (const { source, place, mode } of mountsOf(service)) {
      if (!source.startsWith('./')) t.ok(source in volumes, `${source} is a volume`);
      else {
        t.ok(existsSync(deploy(source)), `${source} exists`);
        t.equal(mode, 'ro', place);
      }
    }
    for (const other of Object.keys(service.depends_on ?? {})) t.ok(other in services, other);
  }
});

t.test('Prometheus has a good configuration, the rules, and every node', async (t) => {
  const prometheus = named('prometheus');
  const flags = new Map((prometheus.command ?? []).map((flag) => flag.slice(2).split('=') as [string, string]));
  const help = spawnSync(prometheusProgram('prometheus'), ['--help'], { encoding: 'utf8' });
  for (const flag of flags.keys()) t.match(help.stdout + help.stderr, `--${flag}=`, flag);
  t.equal(sourceOf(prometheus, flags.get('config.file') ?? ''), './observe/prometheus.yaml');
  t.ok((sourceOf(prometheus, flags.get('storage.tsdb.path') ?? '') ?? '') in volumes);
  t.strictSame(
    scraping.rule_files.map((file) => sourceOf(prometheus, file)),
    ['./prometheus-rules.yaml'],
  );
  const here = read('observe/prometheus.yaml').replace(scraping.rule_files[0] ?? '', deploy('prometheus-rules.yaml'));
  const file = join(newDirectory(t), 'prometheus.yaml');
  writeFileSync(file, here);
  const check = spawnSync(prometheusProgram('promtool'), ['check', 'config', file], { encoding: 'utf8' });
  t.equal(check.status, 0, check.stdout + check.stderr);

  const [job] = scraping.scrape_configs;
  const [found] = job?.dns_sd_configs ?? [];
  const holdfasts = Object.keys(nodes).filter((name) => nodes[name]?.build?.target === 'holdfast');
  t.strictSame(found?.names, holdfasts);
  t.equal(String(found?.port), image.environment.HOLDFAST_ADMIN_PORT);
  t.ok(image.exposed.includes(String(found?.port)));
});

t.test('a node that DNS names is scraped, and is an instance by its name', async (t) => {
  const node = await startHoldfast(t, { routes: ['* test'] });
  // Docker's DNS is not here: what it would find is given instead. The rest is as in the file.
  const found = { targets: [new URL(node.url('admin')).host], labels: { __meta_dns_name: 'node1' } };
  const [{ dns_sd_configs, ...job }] = scraping.scrape_configs as [Scraping['scrape_configs'][0]];
  t.equal(dns_sd_configs.length, 1);
  const every = { scrape_interval: '1s', evaluation_interval: '1s' };
  const rules = [deploy('prometheus-rules.yaml')];
  const config = { global: every, rule_files: rules, scrape_configs: [{ ...job, static_configs: [found] }] };
  const prometheus = await Prometheus.run(t, stringify(config));
  await prometheus.until('holdfast_connections{job="holdfast",instance="node1"}');
  t.ok((await prometheus.rules()).length > 30);
});

t.test('Grafana finds its data source, and the board', async (t) => {
  const grafana = named('grafana');
  const sources = parse(read(sourceOf(grafana, '/etc/grafana/provisioning/datasources/holdfast.yaml') ?? '')) as {
    readonly datasources: readonly { readonly type: string; readonly url: string; readonly isDefault: boolean }[];
  };
  const [source] = sources.datasources;
  const { hostname, port } = new URL(source?.url ?? '');
  t.ok(named(hostname).ports?.[0]?.endsWith(`:${port}`), `${hostname} listens on ${port}`);
  t.equal(source?.isDefault, true);
  const board = readBoard();
  const variable = board.templating.list.find(({ name }) => name === 'DS_PROMETHEUS');
  t.match(variable, { type: 'datasource', query: source?.type });

  const provided = parse(read(sourceOf(grafana, '/etc/grafana/provisioning/dashboards/holdfast.yaml') ?? '')) as {
    readonly providers: readonly { readonly type: string; readonly options: { readonly path: string } }[];
  };
  const place = posix.join(provided.providers[0]?.options.path ?? '', 'holdfast.json');
  t.equal(sourceOf(grafana, place), './grafana/holdfast.json');
  t.equal(grafana.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH, place);
});
