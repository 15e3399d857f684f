/** A look at certificates and keys before anybody needs them: those of TLS listeners, and those shown to origins and Redis. */
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { silentLog } from '@holdfast/control-api';
import type { Config } from '../../config/config.js';
import { whyUnread } from '../../config/files/read-file.js';
import { readTicketSecret } from '../../edge/ticket-key-file.js';
import { readAuthorities } from '../../edge/tls-policy.js';
import type { Route } from '../../routes/route.js';
import { legible } from '../../runtime/legible.js';
import { clientPolicy } from './client-tls.js';

/**
 * Certificates of a directory that are looked at; of more it is said that they were not.
 *
 * @limit {} certificates of a directory that are checked before the start
 * @over a warning; the others are read when a client asks for them
 */
export const CERTIFICATES_CHECKED = 1_000;

/** What was found: `problems` keep somebody from being served, `warnings` will, or may. One line each. */
export interface CertificateReport {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** The options that name certificates. */
export type CertificateOptions = Pick<
  Config,
  | 'httpsPorts'
  | 'tlsMinVersion'
  | 'tlsCiphers'
  | 'tlsClientCa'
  | 'pushInHttpsPort'
  | 'pushInClientCa'
  | 'tlsCertsDir'
  | 'redisUrl'
  | 'redisTlsCa'
  | 'redisTlsCert'
  | 'redisTlsKey'
> &
  Partial<Pick<Config, 'tlsTicketKeyFile'>>;

/** Looks at all that a configuration and its routes name. Reads files. */
export function checkCertificates(config: CertificateOptions, routes: readonly Route[]): CertificateReport {
  const problems: string[] = [];
  const warnings: string[] = [];
  const { httpsPorts, pushInHttpsPort, pushInClientCa } = config;
  const listeners = [
    ...httpsPorts.map(({ port }) => ({ option: 'https_ports', port })),
    ...(pushInHttpsPort === -1 ? [] : [{ option: 'push_in_https_port', port: pushInHttpsPort }]),
  ];
  if (listeners.length > 0) checkListeners(config.tlsCertsDir, listeners, problems, warnings);
  if (listeners.length > 0) problems.push(...policyFaults(config));
  problems.push(...ticketFaults(config));
  problems.push(...withoutAuthority(config, routes));
  if (pushInClientCa !== undefined) problems.push(...authorityFaults('push_in_client_ca', pushInClientCa));
  for (const [where, cert, key] of clientCertificates(routes)) problems.push(...pairFaults(where, cert, key));
  if (config.redisUrl !== undefined)
    problems.push(
      ...pairFaults('redis_tls_cert and redis_tls_key', config.redisTlsCert, config.redisTlsKey),
      ...pairFaults('redis_tls_ca', config.redisTlsCa, undefined, 'ca'),
    );
  return { problems: problems.map(legible), warnings: warnings.map(legible) };
}

function checkListeners(
  directory: string,
  listeners: readonly { readonly option: string; readonly port: number }[],
  problems: string[],
  warnings: string[],
): void {
  let files: readonly string[];
  try {
    files = readdirSync(directory);
  } catch (error) {
    problems.push(`tls_certs_dir: ${directory} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
    return;
  }
  const bases = files.filter((file) => file.endsWith('.crt')).map((file) => file.slice(0, -'.crt'.length));
  const usable = new Set<string>();
  for (const base of bases.slice(0, CERTIFICATES_CHECKED)) {
    const cert = join(directory, `${base}.crt`);
    const faults = pairFaults('tls_certs_dir', cert, join(directory, `${base}.key`));
    problems.push(...faults);
    if (faults.length > 0) continue;
    usable.add(base);
    const validTo = new X509Certificate(readFileSync(cert)).validTo;
    if (Date.parse(validTo) < Date.now()) warnings.push(`tls_certs_dir: ${cert} has expired on ${validTo}`);
  }
  if (bases.length > CERTIFICATES_CHECKED) {
    warnings.push(
      `tls_certs_dir: ${directory} has more than ${CERTIFICATES_CHECKED} certificates: the others were not looked at`,
    );
  }
  for (const { option, port } of listeners) {
    // Any free port has no name to which a file could be put.
    if (port === 0 && usable.size > 0) continue;
    if (usable.has(`default_${port}`)) continue;
    const put = `default_${port}.crt and default_${port}.key`;
    if (usable.size === 0) {
      problems.push(
        `${option}: port ${port} has no usable certificate in ${directory}: put ${put} there, or <server name>.crt and .key`,
      );
    } else {
      warnings.push(
        `${option}: port ${port} has no default certificate: clients that name no server, or an unknown one, are refused; ${put} in ${directory} would serve them`,
      );
    }
  }
}

function policyFaults(config: CertificateOptions): string[] {
  try {
    clientPolicy(config, silentLog);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

function ticketFaults({ tlsTicketKeyFile }: CertificateOptions): string[] {
  try {
    if (tlsTicketKeyFile !== undefined) readTicketSecret(tlsTicketKeyFile);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** Routes that nobody can use, for no client is asked for a certificate. */
function withoutAuthority({ tlsClientCa }: CertificateOptions, routes: readonly Route[]): string[] {
  if (tlsClientCa !== undefined) return [];
  return routes
    .filter(({ clientCert }) => clientCert)
    .map(({ id, key }) => `route ${id ?? key}: client_cert=require refuses everybody without tls_client_ca`);
}

function authorityFaults(option: string, file: string): string[] {
  try {
    readAuthorities(file);
    return [];
  } catch (error) {
    return [`${option}: ${file} cannot be used: ${whyUnread(error)}`];
  }
}

function clientCertificates(
  routes: readonly Route[],
): [where: string, cert: string | undefined, key: string | undefined][] {
  const seen = new Map<string, [string, string | undefined, string | undefined]>();
  for (const route of routes) {
    for (const target of route.targets) {
      if (target.kind !== 'http' || (target.clientCert ?? target.clientKey) === undefined) continue;
      const { clientCert, clientKey } = target;
      seen.set(`${clientCert}\n${clientKey}`, [`route ${route.id ?? route.key}: client_cert`, clientCert, clientKey]);
    }
  }
  return [...seen.values()];
}

/** What is wrong with a certificate and its key; nothing where there is neither. */
function pairFaults(
  where: string,
  cert: string | undefined,
  key: string | undefined,
  as: 'cert' | 'ca' = 'cert',
): string[] {
  if (cert === undefined && key === undefined) return [];
  try {
    createSecureContext({
      ...(cert !== undefined && { [as]: readFileSync(cert) }),
      ...(key !== undefined && { key: readFileSync(key) }),
    });
    if (as === 'ca' && cert !== undefined) new X509Certificate(readFileSync(cert));
    return [];
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT' ? `${path} does not exist` : `${cert ?? key} cannot be used: ${advice(code ?? '') ?? message}`;
    return [`${where}: ${why}`];
  }
}

function advice(code: string): string | undefined {
  if (code === 'ERR_OSSL_PEM_NO_START_LINE') return 'it, or its key, is not in PEM (-----BEGIN …-----)';
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'its key is that of another certificate';
  return undefined;
}
