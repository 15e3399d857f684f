/**
 * The checks across options: what two of them mean together, what must be given together, and what depends on the edge or on
 * the format of the file. Some complete a value: an address without brackets, ports moved by `port_offset`.
 */
import { isIPv6 } from 'node:net';
import { isCurveKey } from '@holdfast/control-api';
import type { ConfigErrorCode, ConfigProblem } from '../../errors.js';
import { availableCodings } from '../../http/codings.js';
import { legibleValue } from '../../runtime/legible.js';
import { type FileFormat, type GivenOption, type GivenOptions, placeOf } from '../sources.js';
import { isIgnored, type Options } from '../table.js';
import { AllowedOrigins } from '../types/allowed-origins.js';
import { formatListen, isLoopback, type Listen } from '../types/listen.js';
import { componentOf } from '../types/xmpp-component.js';

/** Options under way. */
export type Draft = { -readonly [Name in keyof Options]: Options[Name] };

/** What was given, and what is wrong or doubtful about it so far. */
export interface Findings {
  readonly given: GivenOptions;
  /** Undefined: there is no file. */
  readonly format: FileFormat | undefined;
  readonly problems: ConfigProblem[];
  readonly warnings: string[];
  /** Adds a problem with what was given. */
  fail(code: ConfigErrorCode, given: GivenOption, reason: string): void;
}

/** A media type in which `*` stands for any characters (RFC 9110 §8.3.1). */
const MEDIA_TYPE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Checks and completes options each of which is right by itself. */
export function checkCombinations(draft: Draft, found: Findings): void {
  checkRoutes(draft, found);
  checkControl(draft, found);
  checkPorts(draft, found);
  checkRedis(draft, found);
  checkOrigins(draft, found);
  checkCompression(draft, found);
  checkCurve(draft, found);
  checkTls(draft, found);
  checkXmpp(draft, found);
  checkEdge(draft, found);
  if (found.format === 'pushpin' && draft.logFormat === 'auto') draft.logFormat = 'text';
}

/** Without routes and routes file the built-in test handler answers, as with Pushpin's shipped routes file. */
function checkRoutes(draft: Draft, { warnings }: Findings): void {
  if (draft.routes !== undefined || draft.routesfile !== undefined) return;
  draft.routes = ['* test'];
  warnings.push('no routes configured: every request goes to the built-in test handler');
}

function checkControl(draft: Draft, found: Findings): void {
  const { given, warnings, format } = found;
  if (format === 'pushpin' && !given.has('push_in_http_port'))
    warnings.push('push_in_http_port is not set: the control API is disabled');
  const host = draft.pushInHttpAddr.replace(/^\[(.*)\]$/, '$1');
  draft.pushInHttpAddr = host === '*' ? '0.0.0.0' : host;
  const clientCa = given.get('push_in_client_ca');
  if (clientCa !== undefined && draft.pushInHttpsPort === -1)
    found.fail('ERR_CONFIG_CONFLICT', clientCa, 'certificates of publishers need TLS: set push_in_https_port');
  const addr = given.get('push_in_http_addr');
  const hasKeys = draft.controlKeysFile !== undefined || draft.controlKey !== undefined;
  const auth = given.get('admin_auth');
  if (draft.adminAuth && !hasKeys && auth !== undefined)
    found.fail('ERR_CONFIG_CONFLICT', auth, 'there are no keys to ask for: set control_keys_file or control_key');
  const oneKey = given.get('control_key') ?? given.get('control_key_file');
  if (draft.controlKey === '' && oneKey !== undefined) found.fail('ERR_CONFIG_KEY', oneKey, 'it is empty');
  if (draft.pushInHttpAllowPublic || hasKeys) return;
  checkPage(draft, found);
  if (!isControlOpen(draft) || addr === undefined || isLoopback(draft.pushInHttpAddr)) return;
  const reason = `everybody who can reach ${draft.pushInHttpAddr} could publish without authentication`;
  // A file written for Pushpin goes on working; the start says so (exposure.ts).
  if (addr.where.source === 'pushpin') draft.pushInHttpAllowPublic = true;
  else
    found.fail(
      'ERR_CONFIG_PUBLIC_CONTROL',
      addr,
      `${reason}; set keys (control_keys_file or control_key), bind a loopback address, or set push_in_http_allow_public to true`,
    );
}

/** Below the live page is the control API, for everybody who reaches the admin listener. */
function checkPage(draft: Draft, found: Findings): void {
  const page = found.given.get('admin_ui');
  const host = publicPageHost(draft);
  if (page === undefined || host === undefined) return;
  found.fail(
    'ERR_CONFIG_PUBLIC_CONTROL',
    page,
    `everybody who can reach the admin listener at ${host} could publish without authentication; set keys (control_keys_file or control_key), bind admin_port to a loopback address, or set push_in_http_allow_public to true`,
  );
}

/** The address of an admin listener with the live page that others than this machine can reach. */
export function publicPageHost({
  adminUi,
  adminPort = [],
  prometheusPort = [],
}: Pick<Options, 'adminUi' | 'adminPort' | 'prometheusPort'>): string | undefined {
  if (!adminUi) return undefined;
  return [...adminPort, ...prometheusPort].find(({ host }) => !isLoopback(host))?.host;
}

/** Whether the control API has a port at which nobody has to say who asks. */
export function isControlOpen(
  options: Pick<Options, 'pushInHttpPort' | 'pushInHttpsPort' | 'pushInClientCa'>,
): boolean {
  const { pushInHttpPort, pushInHttpsPort, pushInClientCa } = options;
  return pushInHttpPort !== -1 || (pushInHttpsPort !== -1 && pushInClientCa === undefined);
}

function checkRedis(draft: Draft, found: Findings): void {
  const { redisPrefix, redisTlsCert, redisTlsKey } = draft;
  const { given } = found;
  // An empty URL is that of no Redis.
  if (draft.redisUrl === '') draft.redisUrl = undefined;
  const prefix = given.get('redis_prefix');
  if (/[{}]/.test(redisPrefix) && prefix !== undefined)
    found.fail('ERR_CONFIG_VALUE', prefix, 'must not hold braces, which tell Redis Cluster where a key belongs');
  const alone = given.get(redisTlsCert === undefined ? 'redis_tls_key' : 'redis_tls_cert');
  if ((redisTlsCert === undefined) !== (redisTlsKey === undefined) && alone !== undefined)
    found.fail('ERR_CONFIG_CONFLICT', alone, 'redis_tls_cert and redis_tls_key must be given together');
}

function checkOrigins({ acoOrigins, controlAllowedOrigins }: Draft, found: Findings): void {
  const lists = { aco_origins: acoOrigins, control_allowed_origins: controlAllowedOrigins };
  for (const [key, origins] of Object.entries(lists)) {
    const given = found.given.get(key);
    if (given === undefined) continue;
    try {
      const list = new AllowedOrigins(origins);
      if (list.isAny && key === 'control_allowed_origins')
        throw new Error('* would let every web page publish: name the origins');
    } catch (error) {
      found.fail('ERR_CONFIG_VALUE', given, (error as Error).message);
    }
  }
}

function checkCompression({ compress, compressTypes }: Draft, found: Findings): void {
  const { given } = found;
  const [codings, types] = [given.get('compress'), given.get('compress_types')];
  const coding = compress.find((name) => !availableCodings.includes(name));
  if (coding !== undefined && codings !== undefined)
    found.fail(
      'ERR_CONFIG_VALUE',
      codings,
      `expected codings that this Node.js has (${availableCodings.join(', ')}), got ${legibleValue(coding)}`,
    );
  const type = compressTypes.find((pattern) => !MEDIA_TYPE.test(pattern));
  if (type !== undefined && types !== undefined)
    found.fail('ERR_CONFIG_VALUE', types, `expected media types such as text/*, got ${legibleValue(type)}`);
}

/** No text of these is shown: one may be a secret key in the wrong place. */
function checkCurve(draft: Draft, found: Findings): void {
  const { zmqCurveSecretKey: secret, zmqCurveClientKeys: clients, zmqCurveClientKeysFile: file } = draft;
  const { given } = found;
  const fail = (key: string, why: string, code: ConfigErrorCode = 'ERR_CONFIG_VALUE') => {
    const at = given.get(key) ?? given.get(`${key}_file`);
    if (at !== undefined) found.fail(code, at, why);
  };
  const form = 'expected keys of 40 characters, as holdfast curve-keys makes them';
  if (secret !== undefined && !isCurveKey(secret)) fail('zmq_curve_secret_key', form);
  if (!clients.every(isCurveKey)) fail('zmq_curve_client_keys', form);
  const publisher = draft.zmqCurvePublisherKey;
  if (publisher !== undefined && !isCurveKey(publisher)) fail('zmq_curve_publisher_key', form);
  if (secret !== undefined && clients.length === 0 && file === undefined)
    fail(
      'zmq_curve_secret_key',
      'nobody could connect: set zmq_curve_client_keys or zmq_curve_client_keys_file',
      'ERR_CONFIG_CONFLICT',
    );
  if (secret !== undefined) return;
  const without = 'there is no CURVE without zmq_curve_secret_key';
  if (clients.length > 0) fail('zmq_curve_client_keys', without, 'ERR_CONFIG_CONFLICT');
  if (file !== undefined) fail('zmq_curve_client_keys_file', without, 'ERR_CONFIG_CONFLICT');
  if (publisher !== undefined) fail('zmq_curve_publisher_key', without, 'ERR_CONFIG_CONFLICT');
}

/** Refuses what the listeners of the uws edge could not keep, rather than to speak what is not wanted. */
function checkTls({ edge, httpsPorts, tlsMinVersion, tlsCiphers = '' }: Draft, found: Findings): void {
  if (edge !== 'uws' || httpsPorts.length === 0) return;
  const version = found.given.get('tls_min_version');
  if (tlsMinVersion === '1.3' && version !== undefined)
    found.fail('ERR_CONFIG_CONFLICT', version, 'edge uws cannot refuse TLS 1.2 on https_ports: use edge: node');
  const ciphers = found.given.get('tls_ciphers');
  if (/(?:^|[:, ])TLS_/.test(tlsCiphers) && ciphers !== undefined)
    found.fail('ERR_CONFIG_CONFLICT', ciphers, 'edge uws cannot choose among the suites of TLS 1.3: use edge: node');
}

function checkXmpp({ xmppComponent, xmppSecret }: Draft, found: Findings): void {
  const component = found.given.get('xmpp_component');
  const secret = found.given.get('xmpp_secret') ?? found.given.get('xmpp_secret_file');
  if (component !== undefined && xmppComponent !== undefined && componentOf(xmppComponent) === undefined)
    found.fail('ERR_CONFIG_VALUE', component, 'its port must be from 1 to 65535');
  if (component !== undefined && !xmppSecret)
    found.fail('ERR_CONFIG_CONFLICT', component, 'the server asks a component for its secret: set xmpp_secret');
  if (component === undefined && secret !== undefined)
    found.fail('ERR_CONFIG_CONFLICT', secret, 'there is no component that it is the secret of: set xmpp_component');
}

/**
 * Warns of options that the chosen edge ignores, so that nobody relies on a limit that is not there. The PROXY protocol is
 * refused there: the library reads a header of version 2 from anybody, and none of version 1.
 */
function checkEdge(draft: Draft, found: Findings): void {
  const { given, warnings } = found;
  const listeners = { http_port: draft.httpPort, https_ports: draft.httpsPorts, local_ports: draft.localPorts };
  for (const [key, listens] of Object.entries(listeners)) {
    const listener = given.get(key);
    if (draft.edge !== 'uws' || listener === undefined || !listens.some((one) => one.proxyProtocol !== undefined))
      continue;
    found.fail('ERR_CONFIG_CONFLICT', listener, 'proxy_protocol needs edge: node');
  }
  const admin = given.get('admin_port');
  if (admin !== undefined && draft.adminPort?.some(({ proxyProtocol }) => proxyProtocol !== undefined) === true)
    found.fail('ERR_CONFIG_CONFLICT', admin, 'proxy_protocol is for client listeners');
  for (const { option, where } of given.values()) {
    if (!isIgnored(option, draft)) continue;
    warnings.push(`${placeOf(where)}: ignored with edge: ${draft.edge}, where ${option.uws?.doc}`);
  }
}

function checkPorts(draft: Draft, found: Findings): void {
  movePorts(draft, found);
  const { httpPort, httpsPorts, localPorts, adminPort, pushInHttpAddr, pushInHttpPort, pushInHttpsPort } = draft;
  const ports = [...httpPort, ...httpsPorts, ...(adminPort ?? [])].map(({ port }) => port);
  const over = [...ports, pushInHttpPort, pushInHttpsPort].find((port) => port > 65_535);
  if (over !== undefined)
    found.problems.push({
      code: 'ERR_CONFIG_CONFLICT',
      message: `port_offset: moves a port to ${over}, beyond 65535`,
      key: 'port_offset',
    });
  const all = (option: string, listens: readonly Listen[] = []) => listens.map((listen) => ({ option, ...listen }));
  const specs = { push_in_spec: draft.pushInSpec, command_spec: draft.commandSpec, stats_spec: draft.statsSpec };
  const conflicts = portConflicts([
    ...all('http_port', httpPort),
    ...all('https_ports', httpsPorts),
    ...all('push_in_http_port', [{ host: pushInHttpAddr, port: pushInHttpPort }]),
    ...all('push_in_https_port', [{ host: pushInHttpAddr, port: pushInHttpsPort }]),
    ...all('admin_port', adminPort),
    ...Object.entries(specs).flatMap(([option, spec = '']) => {
      const listen = listenOfSpec(spec);
      return listen === undefined ? [] : [{ option, ...listen }];
    }),
  ]);
  for (const message of conflicts) found.problems.push({ code: 'ERR_CONFIG_CONFLICT', message });
  if (httpPort.length + httpsPorts.length + localPorts.length === 0)
    found.problems.push({
      code: 'ERR_CONFIG_CONFLICT',
      message: 'no client listener: set http_port, https_ports or local_ports',
      key: 'http_port',
    });
}

/** Moves ports up by `port_offset`, which is then 0, so that printed values mean the same when loaded again. */
function movePorts(draft: Draft, { given }: Findings): void {
  const { portOffset } = draft;
  draft.portOffset = 0;
  if (portOffset === 0) return;
  const isFlag = (key: string) => given.get(key)?.where.source === 'flag';
  const move = (port: number) => (port > 0 ? port + portOffset : port);
  const moveAll = (listens: readonly Listen[]) => listens.map((listen) => ({ ...listen, port: move(listen.port) }));
  const moveSpec = (spec: string) => spec.replace(/^(tcp:\/\/.*:)(\d+)$/, (_, head, port) => head + move(Number(port)));
  if (!isFlag('http_port')) draft.httpPort = moveAll(draft.httpPort);
  if (!isFlag('https_ports')) draft.httpsPorts = moveAll(draft.httpsPorts);
  if (!isFlag('push_in_https_port')) draft.pushInHttpsPort = move(draft.pushInHttpsPort);
  if (!isFlag('push_in_http_port')) draft.pushInHttpPort = move(draft.pushInHttpPort);
  if (draft.adminPort !== undefined && !isFlag('admin_port')) draft.adminPort = moveAll(draft.adminPort);
  if (draft.pushInSpec !== undefined && !isFlag('push_in_spec')) draft.pushInSpec = moveSpec(draft.pushInSpec);
  if (draft.commandSpec !== undefined && !isFlag('command_spec')) draft.commandSpec = moveSpec(draft.commandSpec);
  if (draft.pushInSubSpecs !== undefined && !isFlag('push_in_sub_specs'))
    draft.pushInSubSpecs = draft.pushInSubSpecs.map(moveSpec);
}

/** One listener, and the option that it comes from. */
interface NamedListen extends Listen {
  readonly option: string;
}

/** Of a ZeroMQ spec such as `tcp://127.0.0.1:5560`; undefined where it is no TCP port. */
export function listenOfSpec(spec: string): Listen | undefined {
  const match = /^tcp:\/\/(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(spec);
  if (match === null) return undefined;
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '*' ? '0.0.0.0' : host, port: Number(match[3]) };
}

/** One line for each pair of listeners that want the same port; ports that other processes have are found when they are opened. */
export function portConflicts(listens: readonly NamedListen[]): string[] {
  const conflicts: string[] = [];
  for (const [at, one] of listens.entries()) {
    const other = listens.slice(0, at).find((earlier) => overlap(earlier, one));
    if (other === undefined) continue;
    conflicts.push(
      other.option === one.option
        ? `${one.option}: ${formatListen(other)} and ${formatListen(one)} are the same port: leave one out`
        : `${other.option} (${formatListen(other)}) and ${one.option} (${formatListen(one)}) want the same port: change one`,
    );
  }
  return conflicts;
}

/** Port 0 is any free one. An address of all interfaces takes the port of each, `::` that of IPv4 too. */
function overlap(one: Listen, other: Listen): boolean {
  if (one.port !== other.port || one.port <= 0) return false;
  if (one.host.toLowerCase() === other.host.toLowerCase()) return true;
  if (one.host === '::' || other.host === '::') return true;
  const [all, single] = one.host === '0.0.0.0' ? [one, other] : [other, one];
  return all.host === '0.0.0.0' && !isIPv6(single.host);
}
