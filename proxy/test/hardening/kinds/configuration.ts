/**
 * Configurations and routes lines with odd values: what is refused is refused with a reason, and what is accepted
 * starts and serves.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../dist/app/load-config.js';
import { options } from '../../../dist/config/table.js';
import { readRoutes } from '../../../dist/routes/routes-source.js';
import type { Case, Kind } from '../kind.js';
import { NodeUnderTest } from '../node-under-test.js';
import { mutatedBytes, oddJson, oddNames, oddNumbers, oddText } from '../odd.js';
import type { Random } from '../random.js';
import { converse } from '../steps.js';

const { publicKey, privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

/** Keys of all kinds, most of which cannot sign. */
const KEYS = [
  'text',
  '',
  'base64:',
  'base64:!!',
  'base64:AAAA',
  'file:none',
  'file:',
  'file:public.pem',
  'file:private.pem',
  'file:broken.pem',
  'file:.',
  'x'.repeat(10_000),
];

// biome-ignore format: one a line says less
const PROPS = [
  'path_beg=/a', 'path_beg=', 'path_beg', 'proto=http', 'proto=ws', 'proto=x', 'ssl=yes', 'id=a', 'id=', 'prefix=p', 'aco', 'jsonp_mode=basic', 'jsonp_cb=', 'jsonp_cb=%', 'replace_beg=/x', 'as_host=h', 'as_path=', 'sockjs=/s', 'sockjs=',
  'sockjs_as_path=/w', 'sig_key=', 'sig_key=file:public.pem', 'sig_iss=x', 'session', 'debug', 'no_grip', 'header=a:b', 'header=:', 'header=a:%0d%0a', 'header=a', 'log_level=9', 'history', 'resume=x', 'orig_headers', 'pass_to_upstream', 'desc=x', '__proto__=x',
];
const TARGET_PROPS = [
  'over_http',
  'ssl',
  'insecure',
  'host=h',
  'sub=a',
  'sub=',
  'trusted',
  'untrusted',
  'trust_connect_host',
  'x=y',
];
const TARGETS = [
  '127.0.0.1:1',
  'test',
  'localhost',
  ':1',
  '127.0.0.1:',
  '127.0.0.1:99999',
  '[::1]:1',
  '[::1',
  'unix:/x',
  'ipc://x',
  'tcp://127.0.0.1:1',
  '',
  'http://x',
  '127.0.0.1:-1',
  'zhttp/x',
  'a b',
];

function routesLine(random: Random): string {
  const props = (list: readonly string[]) =>
    random
      .list(0, 4, () =>
        random.once(8) ? `${random.pick(oddNames)}=${oddText(random).slice(0, 200)}` : random.pick(list),
      )
      .map((prop) => `,${random.once(6) ? `"${prop}"` : prop}`)
      .join('');
  const line = `${random.pick(['*', '*', 'host.example', '', '*.x', '**', '[', '*:80'])}${props(PROPS)} ${random.list(1, 3, () => random.pick(TARGETS) + props(TARGET_PROPS)).join(' ')}`;
  return random.once(6) ? mutatedBytes(random, Buffer.from(line)).toString() : line;
}

/** Options that reach out, start processes or write files; they are only read, never started. */
const READ_ONLY = /port|spec|redis|workers|dir|file|_addr|local|user|id$|routes/;

function value(random: Random, key: string): string {
  if (key.endsWith('_key')) return JSON.stringify(random.pick(KEYS));
  return random.one(
    () => random.pick(oddNumbers),
    () =>
      JSON.stringify(
        random.pick([
          ...oddNumbers,
          '1s',
          '5ms',
          '1h',
          '-1s',
          '1KiB',
          '9e9GB',
          'true',
          'auto',
          'close',
          'drop',
          'uws',
          'node',
          'append',
          'truncate:-1',
          'truncate:99999999999',
          '2,proxy:9',
          '127.0.0.1:0',
          '[::1]:0',
          ':::',
          '0.0.0.0:0',
        ]),
      ),
    () => oddJson(random, 1).slice(0, 3_000),
    () =>
      random.pick(['true', 'false', '~', '- a', '&a [*a]', '!!js/function x', '2020-01-01', '{', '"', '.inf', '0o17']),
  );
}

function write(directory: string, text: string): void {
  writeFileSync(join(directory, 'c.yaml'), text);
  writeFileSync(join(directory, 'public.pem'), publicKey);
  writeFileSync(join(directory, 'private.pem'), privateKey);
  writeFileSync(join(directory, 'broken.pem'), privateKey.replace(/\n[^-]/, '\n'));
}

const KNOWN = ['ConfigError', 'RoutesError', 'UsageError'];

/** Reads a configuration and its routes as `check-config` does. */
function check(text: string, lines: readonly string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-hardening-'));
  try {
    write(directory, text);
    const argv = ['--config', 'c.yaml', ...lines.flatMap((line) => ['--route', line])];
    const loaded = loadConfig({ argv, env: {}, cwd: directory, version: '0', search: [] });
    if ('config' in loaded) readRoutes(loaded.config);
    return [];
  } catch (error) {
    const { message, stack } = error as Error;
    const { name } = (error as Error).constructor;
    if (!KNOWN.includes(name)) return [`${name} instead of a refusal: ${stack}`];
    return message === '' ? ['refused without a reason'] : [];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Starts a node with it; what does not start says why, and what starts serves. */
async function start(settings: Readonly<Record<string, string>>, lines: readonly string[]): Promise<string[]> {
  let node: NodeUnderTest;
  try {
    node = await NodeUnderTest.start({ edge: 'node', routes: lines, settings, files: write });
  } catch (error) {
    const text = (error as Error).message;
    return /\n\s+at |node:internal|Node\.js v/.test(text) ? [`the start ends in an exception: ${text}`] : [];
  }
  try {
    const request = Buffer.from('GET /a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
    const { bytes, timedOut } = await converse(node.port('clients'), [request], { limit: 5_000 });
    const complaints = timedOut || bytes.length === 0 ? ['a request was not answered'] : [];
    return [...complaints, ...node.takeComplaints()];
  } finally {
    await node.stop();
  }
}

function make(random: Random, _token: string): Case {
  const started = random.once(12);
  const keys = random.list(1, 4, () => random.pick(options).key).filter((key) => !started || !READ_ONLY.test(key));
  if (random.once(3)) keys.push(random.pick(['sig_key', 'upstream_key', 'resume_key']));
  const settings = Object.fromEntries(keys.map((key) => [key, value(random, key)]));
  const lines = random.list(0, 3, () => routesLine(random)).filter((line) => !/\0/.test(line));
  const text = `${Object.entries(settings)
    .map(([key, text]) => `${key}: ${text}\n`)
    .join('')}${random.once(10) ? random.pick(['\t', '---\n', 'x', '%YAML 9', '\u0000', '- ', ': :']) : ''}`;
  const whole = random.once(10) ? mutatedBytes(random, Buffer.from(text)).toString() : text;
  return {
    text: `${started ? 'started' : 'read'}: ${whole}\n${lines.join('\n')}`,
    play: async () => (started ? start(settings, lines) : check(whole, lines)),
  };
}

/** Configurations and routes. */
export const configuration: Kind = { name: 'configuration', together: 12, make };
