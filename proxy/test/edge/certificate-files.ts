/** Certificates for tests, made by openssl: an authority, and what it signs. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An authority whose certificates are valid for a day. Files are `<base>.crt` and `<base>.key` in its directory. */
export class CertificateFiles {
  readonly directory: string;

  /** Makes the authority itself, as `authority.crt`. */
  constructor(directory: string) {
    this.directory = directory;
    openssl(['req', '-x509', ...newKey, ...this.#out('authority'), '-subj', '/CN=Test authority']);
  }

  /** PEM of the authority's certificate, for clients to trust. */
  get authority(): Buffer {
    return readFileSync(join(this.directory, 'authority.crt'));
  }

  /** Makes `<base>.crt` and `.key` for these names: `DNS:example.com` or `IP:127.0.0.1`. */
  issue(base: string, commonName: string, names: readonly string[]): void {
    const authority = join(this.directory, 'authority');
    openssl([
      ...['req', '-x509', ...newKey, ...this.#out(base), '-subj', `/CN=${commonName}`],
      ...['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`],
      ...['-addext', `subjectAltName=${names.join(',')}`],
    ]);
  }

  #out(base: string): string[] {
    return ['-out', join(this.directory, `${base}.crt`), '-keyout', join(this.directory, `${base}.key`)];
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];

function openssl(args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}
