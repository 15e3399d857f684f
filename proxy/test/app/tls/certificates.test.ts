/** A look at certificates; what it says of single ones is tried by e2e/operation/mistakes-config. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  CERTIFICATES_CHECKED,
  type CertificateOptions,
  checkCertificates,
} from '../../../dist/app/tls/certificates.js';

const configOf = (tlsCertsDir: string, httpsPorts = [{ host: '0.0.0.0', port: 443 }]): CertificateOptions => ({
  httpsPorts,
  tlsMinVersion: '1.2',
  tlsCiphers: undefined,
  tlsClientCa: undefined,
  pushInHttpsPort: -1,
  pushInClientCa: undefined,
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

t.test(
  'the control port with TLS is looked at as those of clients are, and the authorities of publishers',
  async (t) => {
    const directory = t.testdir({ 'ca.pem': 'no certificate', certs: {} });
    const config = { ...configOf(join(directory, 'certs'), []), pushInHttpsPort: 5562 };
    t.match(checkCertificates(config, []).problems, [
      /^push_in_https_port: port 5562 has no usable certificate .*default_5562/,
    ]);
    for (const [file, why] of [
      ['ca.pem', /^push_in_client_ca: .*ca\.pem cannot be used: it has no certificate in PEM/],
      ['none.pem', /^push_in_client_ca: .*none\.pem cannot be used: ENOENT/],
    ] as const)
      t.match(checkCertificates({ ...config, pushInClientCa: join(directory, file) }, []).problems, [/./, why]);
  },
);
