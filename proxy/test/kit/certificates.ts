/** Certificates made on the spot by openssl: an authority, and what it signs. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, in PEM, and the files they are in. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** What a certificate says. */
export interface CertificateRequest {
  /** Files `<base>.crt` and `<base>.key` are written into `directory`; they replace older ones. */
  readonly directory: string;
  readonly base: string;
  /** Such as `DNS:a.example` or `IP:127.0.0.1`; without any it is an authority. */
  readonly names?: readonly string[];
  /** Without an issuer it signs itself. */
  readonly issuer?: Certificate;
  /** What alone it is for, such as `serverAuth`; left out, for everything. */
  readonly usage?: string;
}

/** Makes a certificate with a new key, valid for a day; its common name is `base`. Throws when openssl fails. */
export function makeCertificate({ directory, base, names = [], issuer, usage }: CertificateRequest): Certificate {
  const certFile = join(directory, `${base}.crt`);
  const keyFile = join(directory, `${base}.key`);
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  args.push('-subj', `/CN=${base}`, '-out', certFile, '-keyout', keyFile);
  args.push('-addext', `basicConstraints=critical,CA:${names.length === 0 ? 'TRUE' : 'FALSE'}`);
  if (names.length > 0) args.push('-addext', `subjectAltName=${names.join(',')}`);
  if (usage !== undefined) args.push('-addext', `extendedKeyUsage=${usage}`);
  if (issuer !== undefined) args.push('-CA', issuer.certFile, '-CAkey', issuer.keyFile);
  execFileSync('openssl', args, { stdio: 'pipe' });
  return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}
