/** A look at certificates; what it says of single ones is tried by e2e/operation/mistakes-config. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { CERTIFICATES_CHECKED, type CertificateOptions, checkCertificates } from '../../dist/app/certificates.js';

const configOf = (tlsCertsDir: string, httpsPorts = [{ host: '0.0.0.0', port: 443 }]): CertificateOptions => ({
  httpsPorts,
  tlsCertsDir,
  redisUrl: undefined,
  redisTlsCa: undefined,
  redisTlsCert: undefined,
  redisTlsKey: undefined,
});

t.test('of a directory CERTIFICATES_CHECKED are looked at, and that is said', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-certificates-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (let i = 0; i <= CERTIFICATES_CHECKED; i++) writeFileSync(join(directory, `n${i}.crt`), 'x');
  const { problems, warnings } = checkCertificates(configOf(directory), []);
  t.equal(problems.filter((problem) => /\.key does not exist$/.test(problem)).length, CERTIFICATES_CHECKED);
  t.match(warnings, [/has more than 1000 certificates: the others were not looked at$/]);
});

t.test('without a TLS listener nothing is looked at', async (t) => {
  t.strictSame(checkCertificates(configOf('/nowhere', []), []), { problems: [], warnings: [] });
});

t.test('a directory that is not there', async (t) => {
  t.match(checkCertificates(configOf('/nowhere'), []).problems, ['tls_certs_dir: /nowhere cannot be read: ENOENT']);
});
