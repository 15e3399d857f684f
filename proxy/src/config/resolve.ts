/**
 * From settings of several surfaces to one value for every option: precedence, defaults, checks across options.
 *
 * Owns: everything that can be wrong with a value. Does not own: reading the surfaces, grouping values for the parts.
 */
import { isAbsolute, resolve } from 'node:path';
import { availableCodings } from '../http/codings.js';
import { legibleValue } from './checks/legible.js';
import { listenOfSpec, portConflicts } from './checks/port-conflicts.js';
import type { ConfigErrorCode, ConfigProblem } from './errors.js';
import { whyUnread } from './files/read-file.js';
import type { Option } from './option.js';
import { placeOf, type Setting, type Settings } from './setting.js';
import type { FileFormat } from './sources.js';
import { isIgnored, options, type Values } from './table.js';
import { parseValue } from './value.js';
import { AllowedOrigins } from './values/allowed-origins.js';
import { isLoopback, type Listen } from './values/listen.js';

/** What settling needs from outside. */
export interface SettleContext {
  readonly cwd: string;
  /** Absolute; what relative default paths of kind `config` are relative to. */
  readonly configDir: string;
  /** Undefined: there is no file. */
  readonly format: FileFormat | undefined;
  /** Reads a secret file as text; throws as node:fs does. */
  readonly readFile: (path: string) => string;
}

/** All values, and what is wrong or doubtful. With problems the values must not be used. */
export interface Settled {
  readonly values: Values;
  /** The winning setting of each option that was set at all. */
  readonly sources: Settings;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

type Draft = { -readonly [Key in keyof Values]: Values[Key] };

/** Option pairs of which one replaces the other: the surface with the higher precedence decides. */
const exclusive: readonly (readonly [string, string])[] = [
  ['routes', 'routesfile'],
  ...options.flatMap(({ key, secretFor }) => (secretFor === undefined ? [] : [[secretFor, key] as const])),
];

/** Options for which an empty text is a value; for all others it means "not set". */
function keepsEmpty(option: Option): boolean {
  return ['list', 'ports', 'sockets', 'secret', 'forwarded-for'].includes(option.type) || option.default === '';
}

/** A media type in which `*` stands for any characters (RFC 9110 §8.3.1). */
const MEDIA_TYPE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

class Settlement {
  readonly problems: ConfigProblem[] = [];
  readonly warnings: string[] = [];
  readonly sources = new Map<string, Setting>();
  readonly values: Record<string, unknown> = {};

  constructor(
    private readonly layers: readonly Settings[],
    private readonly context: SettleContext,
  ) {}

  fail(code: ConfigErrorCode, setting: Setting, reason: string): void {
    const { file, line } = setting.where;
    this.problems.push({
      code,
      message: `${placeOf(setting.where)}: ${reason}`,
      key: setting.option.key,
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
    });
  }

  /** The winning setting of every option. Layers come highest precedence first. */
  choose(): void {
    for (const option of options) {
      const setting = this.layers.find((layer) => layer.has(option.key))?.get(option.key);
      if (setting === undefined || (setting.raw === '' && !keepsEmpty(option))) continue;
      this.sources.set(option.key, setting);
    }
    for (const [one, other] of exclusive) this.exclude(one, other);
  }

  private exclude(one: string, other: string): void {
    const [first, second] = [this.sources.get(one), this.sources.get(other)];
    if (first === undefined || second === undefined) return;
    const rank = (setting: Setting) => this.layers.findIndex((layer) => layer.get(setting.option.key) === setting);
    if (rank(first) === rank(second))
      this.fail('ERR_CONFIG_CONFLICT', second, `cannot be given together with ${first.where.name}`);
    this.sources.delete(rank(first) < rank(second) ? other : one);
  }

  private fallback(option: Option): unknown {
    const shadowed = exclusive.some(
      ([one, other]) =>
        (one === option.key && this.sources.has(other)) || (other === option.key && this.sources.has(one)),
    );
    if (shadowed && option.type !== 'secret') return undefined;
    return this.context.format === 'pushpin' ? (option.pushpinDefault ?? option.default) : option.default;
  }

  private path(option: Option, text: string, setting: Setting | undefined): string {
    const { cwd, configDir } = this.context;
    const base = option.base === 'cwd' ? cwd : (setting?.where.baseDir ?? configDir);
    return resolve(base, text);
  }

  /** Parses every winning setting, or the default. */
  parse(): void {
    for (const option of options) {
      const setting = this.sources.get(option.key);
      const raw = setting?.raw ?? this.fallback(option);
      if (raw === undefined) continue;
      const parsed = parseValue(option, raw, { clamp: setting?.where.surface === 'pushpin' });
      if (!parsed.ok) {
        if (setting === undefined) throw new TypeError(`the default of ${option.key} is wrong: ${parsed.why}`);
        this.fail('ERR_CONFIG_VALUE', setting, parsed.why);
        continue;
      }
      if (parsed.clamped !== undefined && setting !== undefined)
        this.warnings.push(`${placeOf(setting.where)}: ${parsed.clamped}`);
      this.values[option.key] =
        option.type === 'path' ? this.path(option, String(parsed.value), setting) : parsed.value;
    }
  }

  /** Puts secrets from files in place, and makes the path of a `file:` key absolute. */
  secrets(): void {
    for (const { key, type, secretFor } of options) {
      const setting = this.sources.get(key);
      if (setting === undefined) continue;
      if (secretFor !== undefined) this.secretFile(secretFor, setting, this.values[key]);
      const value = this.values[key];
      if (type !== 'secret' || typeof value !== 'string' || !value.startsWith('file:')) continue;
      const path = value.slice('file:'.length);
      if (!isAbsolute(path)) this.values[key] = `file:${resolve(setting.where.baseDir, path)}`;
    }
  }

  private secretFile(key: string, setting: Setting, path: unknown): void {
    if (typeof path !== 'string') return;
    try {
      const secret = this.context.readFile(path).replace(/\r?\n$/, '');
      // A value that names a file means a key: an empty file must not turn signing off unseen.
      if (secret.trim() === '') this.fail('ERR_CONFIG_FILE', setting, `${path} is empty`);
      this.values[key] = secret;
    } catch (error) {
      this.fail('ERR_CONFIG_FILE', setting, `cannot read ${path}: ${whyUnread(error)}`);
    }
  }
}

/** Without routes and routes file the built-in test handler answers, as with Pushpin's shipped routes file. */
function settleRoutes(values: Draft, settlement: Settlement): void {
  if (values.routes !== undefined || values.routesfile !== undefined) return;
  values.routes = ['* test'];
  settlement.warnings.push('no routes configured: every request goes to the built-in test handler');
}

function settleControl(values: Draft, settlement: Settlement, format: FileFormat | undefined): void {
  const { sources, warnings } = settlement;
  if (format === 'pushpin' && !sources.has('push_in_http_port'))
    warnings.push('push_in_http_port is not set: the control API is disabled');
  const host = values.push_in_http_addr.replace(/^\[(.*)\]$/, '$1');
  values.push_in_http_addr = host === '*' ? '0.0.0.0' : host;
  const addr = sources.get('push_in_http_addr');
  if (values.push_in_http_port === -1 || values.push_in_http_allow_public || addr === undefined) return;
  if (isLoopback(values.push_in_http_addr)) return;
  const reason = `everybody who can reach ${values.push_in_http_addr} could publish without authentication`;
  // A file written for Pushpin goes on working; the start says so (exposure.ts).
  if (addr.where.surface === 'pushpin') values.push_in_http_allow_public = true;
  else
    settlement.fail(
      'ERR_CONFIG_PUBLIC_CONTROL',
      addr,
      `${reason}; bind a loopback address, or set push_in_http_allow_public to true`,
    );
}

function settleRedis(values: Draft, settlement: Settlement): void {
  const { redis_prefix: prefix, redis_tls_cert: cert, redis_tls_key: key } = values;
  const { sources } = settlement;
  const prefixFrom = sources.get('redis_prefix');
  if (/[{}]/.test(prefix) && prefixFrom !== undefined)
    settlement.fail(
      'ERR_CONFIG_VALUE',
      prefixFrom,
      'must not hold braces, which tell Redis Cluster where a key belongs',
    );
  const alone = sources.get(cert === undefined ? 'redis_tls_key' : 'redis_tls_cert');
  if ((cert === undefined) !== (key === undefined) && alone !== undefined)
    settlement.fail('ERR_CONFIG_CONFLICT', alone, 'redis_tls_cert and redis_tls_key must be given together');
}

function settleOrigins({ aco_origins: origins }: Draft, settlement: Settlement): void {
  const from = settlement.sources.get('aco_origins');
  if (from === undefined) return;
  try {
    new AllowedOrigins(origins);
  } catch (error) {
    settlement.fail('ERR_CONFIG_VALUE', from, (error as Error).message);
  }
}

function settleCompression({ compress, compress_types: types }: Draft, settlement: Settlement): void {
  const { sources } = settlement;
  const [codingsFrom, typesFrom] = [sources.get('compress'), sources.get('compress_types')];
  const coding = compress.find((name) => !availableCodings.includes(name));
  if (coding !== undefined && codingsFrom !== undefined)
    settlement.fail(
      'ERR_CONFIG_VALUE',
      codingsFrom,
      `expected codings that this Node.js has (${availableCodings.join(', ')}), got ${legibleValue(coding)}`,
    );
  const type = types.find((pattern) => !MEDIA_TYPE.test(pattern));
  if (type !== undefined && typesFrom !== undefined)
    settlement.fail('ERR_CONFIG_VALUE', typesFrom, `expected media types such as text/*, got ${legibleValue(type)}`);
}

/** Warns of settings that the chosen edge makes nothing of, so that nobody relies on a limit that is not there. */
function settleEdge(values: Draft, { sources, warnings }: Settlement): void {
  for (const { option, where } of sources.values()) {
    if (!isIgnored(option, values)) continue;
    warnings.push(`${placeOf(where)}: ignored with edge: ${values.edge}, where ${option.uws?.doc}`);
  }
}

/** Moves ports up by `port_offset`, which is then 0, so that printed values mean the same when loaded again. */
function settlePorts(values: Draft, settlement: Settlement): void {
  const { port_offset: offset } = values;
  values.port_offset = 0;
  if (offset > 0) {
    const given = (key: string) => settlement.sources.get(key)?.where.surface === 'flag';
    const move = (port: number) => (port > 0 ? port + offset : port);
    const moveAll = (listens: readonly Listen[]) => listens.map(({ host, port }) => ({ host, port: move(port) }));
    const moveSpec = (spec: string) =>
      spec.replace(/^(tcp:\/\/.*:)(\d+)$/, (_, head, port) => head + move(Number(port)));
    if (!given('http_port')) values.http_port = moveAll(values.http_port);
    if (!given('https_ports')) values.https_ports = moveAll(values.https_ports);
    if (!given('push_in_http_port')) values.push_in_http_port = move(values.push_in_http_port);
    if (values.admin_port !== undefined && !given('admin_port')) values.admin_port = moveAll(values.admin_port);
    for (const key of ['push_in_spec', 'command_spec'] as const) {
      const spec = values[key];
      if (spec !== undefined && !given(key)) values[key] = moveSpec(spec);
    }
    if (!given('push_in_sub_specs')) values.push_in_sub_specs = values.push_in_sub_specs?.map(moveSpec);
  }
  const ports = [...values.http_port, ...values.https_ports, ...(values.admin_port ?? [])].map(({ port }) => port);
  const over = [...ports, values.push_in_http_port].find((port) => port > 65_535);
  if (over !== undefined)
    settlement.problems.push({
      code: 'ERR_CONFIG_CONFLICT',
      message: `port_offset: moves a port to ${over}, beyond 65535`,
      key: 'port_offset',
    });
  const all = (option: string, listens: readonly Listen[] = []) => listens.map((listen) => ({ option, ...listen }));
  const control = { host: values.push_in_http_addr, port: values.push_in_http_port };
  const specs = (['push_in_spec', 'command_spec', 'stats_spec'] as const).flatMap((option) => {
    const listen = listenOfSpec(values[option] ?? '');
    return listen === undefined ? [] : [{ option, ...listen }];
  });
  const conflicts = portConflicts([
    ...all('http_port', values.http_port),
    ...all('https_ports', values.https_ports),
    ...all('push_in_http_port', [control]),
    ...all('admin_port', values.admin_port),
    ...specs,
  ]);
  for (const message of conflicts) settlement.problems.push({ code: 'ERR_CONFIG_CONFLICT', message });
  if (values.http_port.length + values.https_ports.length + values.local_ports.length === 0)
    settlement.problems.push({
      code: 'ERR_CONFIG_CONFLICT',
      message: 'no client listener: set http_port, https_ports or local_ports',
      key: 'http_port',
    });
}

/**
 * Settles every option. `layers` are the surfaces, highest precedence first. Problems are collected, not thrown, so
 * that all can be shown at once.
 */
export function settle(layers: readonly Settings[], context: SettleContext): Settled {
  const settlement = new Settlement(layers, context);
  settlement.choose();
  settlement.parse();
  settlement.secrets();
  const { problems, warnings, sources } = settlement;
  const values = settlement.values as Draft;
  // Checks across options would only repeat what is wrong with the single ones.
  if (problems.length > 0) return { values, sources, problems, warnings };
  settleRoutes(values, settlement);
  settleControl(values, settlement, context.format);
  settlePorts(values, settlement);
  settleRedis(values, settlement);
  settleOrigins(values, settlement);
  settleCompression(values, settlement);
  settleEdge(values, settlement);
  if (context.format === 'pushpin' && values.log_format === 'auto') values.log_format = 'text';
  return { values, sources, problems, warnings };
}
