import t from 'tap';
import { TrustedProxies, type TrustedProxyOptions } from '../../dist/clients/trusted-proxies.js';
import type { ClientRequest } from '../../dist/edge/port.js';

const LB = '10.0.0.1';

interface Case {
  readonly says: string;
  readonly peer?: string;
  readonly proxies?: readonly string[];
  readonly fields?: TrustedProxyOptions['trustedProxyFields'];
  readonly headers: readonly string[];
  readonly secure?: boolean;
  /** What the request is then; left out, it is as it was. */
  readonly is: {
    readonly address: string;
    readonly hops?: readonly string[];
    readonly headers?: readonly string[];
    readonly host?: string;
    readonly secure?: boolean;
  };
}

function requestOf({ peer = LB, headers, secure = false }: Case): ClientRequest {
  return {
    id: '1',
    method: 'GET',
    path: '/',
    host: 'api.example',
    version: '1.1',
    headers: [...headers],
    secure,
    clientAddress: peer,
    body: undefined,
  };
}

function check(name: string, cases: readonly Case[]): void {
  t.test(name, async (t) => {
    for (const one of cases) {
      t.test(one.says, async (t) => {
        const { proxies = ['10.0.0.0/8', 'fd00::/8'], fields = 'auto', is } = one;
        const trusted = new TrustedProxies({ trustedProxies: proxies, trustedProxyFields: fields });
        const request = trusted.identify(requestOf(one));
        t.equal(request.clientAddress, is.address);
        t.strictSame(request.hops, is.hops);
        t.strictSame(request.headers, is.headers ?? []);
        t.equal(request.host, is.host ?? 'api.example');
        t.equal(request.secure, is.secure ?? one.secure ?? false);
      });
    }
  });
}

check('a peer that is not trusted', [
  { says: 'is the client itself', peer: '198.51.100.7', headers: [], is: { address: '198.51.100.7' } },
  {
    says: 'loses what it says of others, in every spelling that an origin may take for it',
    peer: '198.51.100.7',
    headers: [
      ...['X-Forwarded-For', '1.1.1.1', 'x_forwarded_for', '1.1.1.1', 'X-Forwarded-Proto', 'https'],
      ...['X-Forwarded-Host', 'evil.example', 'X-Forwarded-Port', '1', 'Forwarded', 'for=1.1.1.1'],
      ...['X-Real-IP', '1.1.1.1', 'Accept', '*/*'],
    ],
    is: { address: '198.51.100.7', headers: ['Accept', '*/*'] },
  },
  {
    says: 'of a unix socket, where those are not trusted',
    peer: '',
    headers: ['X-Forwarded-For', '1.1.1.1'],
    is: { address: '' },
  },
]);

check('X-Forwarded-For', [
  {
    says: 'names the client',
    headers: ['X-Forwarded-For', '198.51.100.7'],
    is: { address: '198.51.100.7', hops: [LB], headers: ['X-Forwarded-For', '198.51.100.7'] },
  },
  {
    says: 'counts from the right to the first address that is not trusted; the rest is the client’s word',
    headers: ['X-Forwarded-For', '1.1.1.1, 198.51.100.7', 'x-forwarded-for', '10.2.2.2,fd00::5'],
    is: {
      address: '198.51.100.7',
      hops: ['10.2.2.2', 'fd00::5', LB],
      headers: ['X-Forwarded-For', '198.51.100.7, 10.2.2.2, fd00::5'],
    },
  },
  {
    says: 'with trusted addresses only has the client at its beginning',
    headers: ['X-Forwarded-For', '10.9.9.9, 10.2.2.2'],
    is: { address: '10.9.9.9', hops: ['10.2.2.2', LB], headers: ['X-Forwarded-For', '10.9.9.9, 10.2.2.2'] },
  },
  {
    says: 'is read to the first entry that is no address',
    headers: ['X-Forwarded-For', '198.51.100.7, unknown, 10.2.2.2'],
    is: { address: '10.2.2.2', hops: [LB], headers: ['X-Forwarded-For', '10.2.2.2'] },
  },
  {
    says: 'with no address in its last entry names nobody',
    headers: ['X-Forwarded-For', '198.51.100.7, <script>'],
    is: { address: LB },
  },
  { says: 'with an empty last entry names nobody', headers: ['X-Forwarded-For', '1.1.1.1,'], is: { address: LB } },
  { says: 'that is absent names nobody', headers: ['X-Forwarded-Proto', 'https'], is: { address: LB } },
  {
    says: 'may have ports, brackets, and IPv4 in the form of IPv6',
    headers: ['X-Forwarded-For', '[2001:DB8::1]:443, 10.1.1.1:8080, ::ffff:10.2.2.2'],
    is: {
      address: '2001:db8::1',
      hops: ['10.1.1.1', '10.2.2.2', LB],
      headers: ['X-Forwarded-For', '2001:db8::1, 10.1.1.1, 10.2.2.2'],
    },
  },
  {
    says: 'of a zone means nothing here',
    headers: ['X-Forwarded-For', 'fe80::1%eth0'],
    is: { address: LB },
  },
  {
    says: 'of a trusted unix socket is believed',
    peer: '',
    proxies: ['unix'],
    headers: ['X-Forwarded-For', '198.51.100.7'],
    is: { address: '198.51.100.7', hops: [''], headers: ['X-Forwarded-For', '198.51.100.7'] },
  },
  {
    says: 'of a peer in the form of IPv6 is believed by the range of IPv4',
    peer: '::ffff:10.0.0.9',
    headers: ['X-Forwarded-For', '198.51.100.7'],
    is: { address: '198.51.100.7', hops: ['::ffff:10.0.0.9'], headers: ['X-Forwarded-For', '198.51.100.7'] },
  },
]);

check('protocol and host', [
  {
    says: 'are those that the client used',
    headers: ['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'HTTPS', 'X-Forwarded-Host', 'shop.example:8443'],
    is: {
      address: '198.51.100.7',
      hops: [LB],
      headers: [
        ...['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'https'],
        ...['X-Forwarded-Host', 'shop.example:8443'],
      ],
      host: 'shop.example:8443',
      secure: true,
    },
  },
  {
    says: 'of a client without TLS, though this hop has it',
    secure: true,
    headers: ['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'http'],
    is: {
      address: '198.51.100.7',
      hops: [LB],
      headers: ['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'http'],
      secure: false,
    },
  },
  {
    says: 'of as many entries belong to their addresses',
    headers: ['X-Forwarded-For', '1.1.1.1, 198.51.100.7, 10.2.2.2', 'X-Forwarded-Proto', 'ftp, https, http'],
    is: {
      address: '198.51.100.7',
      hops: ['10.2.2.2', LB],
      headers: ['X-Forwarded-For', '198.51.100.7, 10.2.2.2', 'X-Forwarded-Proto', 'https'],
      secure: true,
    },
  },
  {
    says: 'of another number are the last',
    headers: ['X-Forwarded-For', '198.51.100.7, 10.2.2.2, 10.3.3.3', 'X-Forwarded-Proto', 'http, https'],
    is: {
      address: '198.51.100.7',
      hops: ['10.2.2.2', '10.3.3.3', LB],
      headers: ['X-Forwarded-For', '198.51.100.7, 10.2.2.2, 10.3.3.3', 'X-Forwarded-Proto', 'https'],
      secure: true,
    },
  },
  {
    says: 'that cannot be are not believed',
    headers: ['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'gopher', 'X-Forwarded-Host', 'a b'],
    is: { address: '198.51.100.7', hops: [LB], headers: ['X-Forwarded-For', '198.51.100.7'] },
  },
]);

check('Forwarded', [
  {
    says: 'names client, protocol and host',
    headers: ['Forwarded', 'for=1.1.1.1, for="[2001:db8::7]:4711";proto=https;host="shop.example", for=10.2.2.2'],
    is: {
      address: '2001:db8::7',
      hops: ['10.2.2.2', LB],
      headers: [
        ...['X-Forwarded-For', '2001:db8::7, 10.2.2.2', 'X-Forwarded-Proto', 'https'],
        ...['X-Forwarded-Host', 'shop.example'],
      ],
      host: 'shop.example',
      secure: true,
    },
  },
  {
    says: 'that is malformed hides no field behind it',
    headers: ['Forwarded', 'for="', 'Forwarded', 'for=198.51.100.7'],
    is: { address: '198.51.100.7', hops: [LB], headers: ['X-Forwarded-For', '198.51.100.7'] },
  },
  {
    says: 'with an obfuscated identifier names nobody',
    headers: ['Forwarded', 'for=_hidden'],
    is: { address: LB },
  },
  {
    says: 'is not read beside X-Forwarded-For',
    headers: ['Forwarded', 'for=1.1.1.1', 'X-Forwarded-For', '198.51.100.7'],
    is: { address: '198.51.100.7', hops: [LB], headers: ['X-Forwarded-For', '198.51.100.7'] },
  },
  {
    says: 'alone is read where it is named',
    fields: 'forwarded',
    headers: ['Forwarded', 'for=198.51.100.7', 'X-Forwarded-For', '1.1.1.1'],
    is: { address: '198.51.100.7', hops: [LB], headers: ['X-Forwarded-For', '198.51.100.7'] },
  },
  {
    says: 'is not read where the other is named',
    fields: 'x-forwarded',
    headers: ['Forwarded', 'for=1.1.1.1'],
    is: { address: LB },
  },
]);

t.test('the certificate of a proxy is not that of its client', async (t) => {
  const trusted = new TrustedProxies({ trustedProxies: [LB], trustedProxyFields: 'auto' });
  const request = { ...requestOf({ says: '', headers: [], is: { address: '' } }), clientCertificate: 'QUJD' };
  const behind = trusted.identify({ ...request, headers: ['X-Forwarded-For', '198.51.100.7'] });
  t.match(behind, { clientAddress: '198.51.100.7', hops: [LB] });
  t.equal(behind.clientCertificate, undefined);
  t.equal(trusted.identify(request).clientCertificate, 'QUJD', 'a proxy that speaks for itself');
});
