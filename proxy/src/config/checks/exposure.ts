/** What a configuration leaves open to others and deserves a warning at the start; what is refused is in `combinations.ts`. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.js';
import { hasKeys } from '../files/keys-file.js';
import { isLoopback } from '../types/listen.js';
import { isControlOpen, publicPageHost } from './combinations.js';

/** One warning: constant words, and what they are about. */
export interface Exposure {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The default of `sig_key`. */
const KNOWN_KEY = Buffer.from('changeme');

/** Files that one warning names; the others are counted. */
const MAX_NAMED = 10;

/** Permission of users who are neither the owner nor in the group: group permission is how services are let read a key. */
const OTHERS = 0o006;

/** The same for files without a secret. */
const OTHERS_WRITE = 0o002;

/** The warnings. `keyFiles` are those that routes name: for signing, and for TLS to origins. Reads the modes of files. */
export function exposuresOf(
  config: Config,
  keyFiles: { readonly signing: Iterable<string>; readonly tls: Iterable<string> },
): readonly Exposure[] {
  return [
    ...knownKey(config),
    ...openFiles('a file with a key or password can be read or written by other users of this machine', [
      ...config.keyFiles,
      ...keyFiles.signing,
    ]),
    ...openFiles('a TLS key file can be read or written by other users of this machine', [
      ...tlsKeys(config),
      ...(config.tlsTicketKeyFile === undefined ? [] : [config.tlsTicketKeyFile]),
      ...keyFiles.tls,
    ]),
    ...openFiles(
      'a file that says who may connect can be written by other users of this machine',
      [config.zmqCurveClientKeysFile, config.pushInClientCa, config.tlsClientCa].filter((file) => file !== undefined),
      OTHERS_WRITE,
    ),
    ...publicControl(config),
    ...publicPage(config),
    ...publicSockets(config),
  ];
}

function knownKey({ sigKey }: Config): Exposure[] {
  if (sigKey?.kind !== 'secret' || !Buffer.from(sigKey.secret).equals(KNOWN_KEY)) return [];
  const message = 'sig_key is changeme, its default, which everybody knows: set it before origins rely on Grip-Sig';
  return [{ message, fields: { option: 'sig_key' } }];
}

function publicControl(config: Config): Exposure[] {
  const { pushInHttpAddr: host, pushInHttpPort, pushInHttpsPort } = config;
  if (!isControlOpen(config) || isLoopback(host) || hasKeys(config)) return [];
  const port = pushInHttpPort === -1 ? pushInHttpsPort : pushInHttpPort;
  const message =
    'the control API is on a public address: everybody who can reach it can publish without authentication; keys (control_keys_file, control_key) keep others out';
  return [{ message, fields: { option: 'push_in_http_addr', host, port } }];
}

function publicPage(config: Config): Exposure[] {
  const host = publicPageHost(config);
  if (host === undefined || hasKeys(config)) return [];
  const message =
    'the live page is on a public address: everybody who can reach it can publish without authentication; keys (control_keys_file, control_key) keep others out';
  return [{ message, fields: { option: 'admin_ui', host } }];
}

/** With CURVE only clients with a key get in, and nobody else reads or forges what passes. */
function publicSockets(config: Config): Exposure[] {
  const { pushInSubConnect, pushInSubSpecs = [], zmqCurveSecretKey, zmqCurvePublisherKey } = config;
  const bound = {
    push_in_spec: config.pushInSpec,
    push_in_sub_specs: pushInSubConnect ? undefined : pushInSubSpecs[0],
    command_spec: config.commandSpec,
    stats_spec: config.statsSpec,
  };
  const open = Object.entries(bound).filter(([, spec]) => spec !== undefined && isPublic(spec));
  const distant = pushInSubConnect ? pushInSubSpecs.filter(isPublic) : [];
  const warnings: Exposure[] = [];
  if (open.length > 0 && zmqCurveSecretKey === undefined)
    warnings.push({
      message:
        'a ZeroMQ socket is on a public address without CURVE: everybody who can reach it can use it without authentication',
      fields: { sockets: Object.fromEntries(open) },
    });
  if (distant.length > 0 && zmqCurvePublisherKey === undefined)
    warnings.push({
      message:
        'a ZeroMQ socket connects to another machine without CURVE: everybody on the way can read and forge items',
      fields: { sockets: { push_in_sub_specs: distant.join(',') } },
    });
  return warnings;
}

/** Files have modes; `lo` is the name of the interface. */
function isPublic(spec: string): boolean {
  const host = /^tcp:\/\/(.*):[^:]*$/.exec(spec)?.[1];
  return host !== undefined && host !== 'lo' && !isLoopback(host.replace(/^\[(.*)\]$/, '$1'));
}

function tlsKeys({ httpsPorts, pushInHttpsPort, tlsCertsDir, redisUrl, redisTlsKey }: Config): string[] {
  const own = redisUrl === undefined || redisTlsKey === undefined ? [] : [redisTlsKey];
  if (httpsPorts.length === 0 && pushInHttpsPort === -1) return own;
  try {
    const names = readdirSync(tlsCertsDir).filter((name) => name.endsWith('.key'));
    return [...own, ...names.map((name) => join(tlsCertsDir, name))];
  } catch {
    return own; // the listeners say what is wrong with the directory
  }
}

function openFiles(message: string, paths: readonly string[], permission = OTHERS): Exposure[] {
  const open = [...new Set(paths)].filter((path) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() === true && (stats.mode & permission) !== 0;
  });
  if (open.length === 0) return [];
  const more = open.length - MAX_NAMED;
  return [{ message, fields: { files: open.slice(0, MAX_NAMED), ...(more > 0 && { more }) } }];
}
