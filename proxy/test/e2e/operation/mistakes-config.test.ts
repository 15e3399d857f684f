/** Mistakes that are made in a configuration: `check-config` names each, and the log of a start names what a start lives with. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { ask } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';

/** A file with mistakes that do not hide each other: what is said of each, by its name; whether a start would live with them all. */
interface Mistaken {
  readonly config: string;
  readonly said: Readonly<Record<string, RegExp>>;
  readonly tolerated?: true;
  readonly env?: Readonly<Record<string, string>>;
}

const MISTAKEN: readonly Mistaken[] = [
  {
    config: 'routes: ["a 127.0.0.1:8000,over_htp", "b,path_bge=/a 127.0.0.1:8000", "c,over_http 127.0.0.1:8000"]\n',
    env: { HOLDFAST_HTP_PORT: '8000' },
    tolerated: true,
    said: {
      'a misspelled variable':
        /^warning: HOLDFAST_HTP_PORT: unknown variable, ignored; did you mean HOLDFAST_HTTP_PORT\?$/m,
      'a misspelled property of a target':
        /^warning: line 1, column 18: property of a target unknown, ignored: 'over_htp'; did you mean over_http\?$/m,
      'a misspelled property of a route':
        /^warning: line 2, column 3: property of a route unknown, ignored: 'path_bge'; did you mean path_beg\?$/m,
      'a property of a target with the route':
        /^warning: line 3, column 3: property 'over_http' ignored: it is one of a target, and stands with a route$/m,
    },
  },
  {
    config: 'http_prot: 8000\norigin_timeout: soon\nxmpp_component: xmpp://push.example.com\n',
    said: {
      'a misspelled option': /^\.\/a:1: http_prot: unknown.*did you mean http_port\?$/m,
      'a duration that is none': /^\.\/a:2: origin_timeout: .*soon/m,
      'a component as URL':
        /^\.\/a:3: xmpp_component: expected domain@host:port, such as push\.example\.com@127\.0\.0\.1:5347, got/m,
    },
  },
  {
    config: 'push_in_http_addr: 0.0.0.0\nxmpp_secret: x\nhttp_port: 8000\nadmin_port: 127.0.0.1:8000\n',
    said: {
      'the control API for everybody':
        /^\.\/a:1: push_in_http_addr: everybody who can reach .*set push_in_http_allow_public to true$/m,
      'the secret of no component':
        /^\.\/a:2: xmpp_secret: there is no component that it is the secret of: set xmpp_component$/m,
      'two listeners on one port':
        /^http_port \(0\.0\.0\.0:8000\) and admin_port \(127\.0\.0\.1:8000\) want the same port: change one$/m,
    },
  },
  {
    config: 'http_port: "8000, 127.0.0.1:8000"\nxmpp_component: push.example.com\n',
    said: {
      'one listener twice': /^http_port: 0\.0\.0\.0:8000 and 127\.0\.0\.1:8000 are the same port: leave one out$/m,
      'a component without its secret':
        /^\.\/a:2: xmpp_component: the server asks a component for its secret: set xmpp_secret$/m,
    },
  },
  {
    config:
      'routes: ["a.example,xmpp=push.example.com 127.0.0.1:8000", "* localhost", "* http://localhost:8000", "*"]\n',
    said: {
      'a route of stanzas for a host':
        /^line 1, column 11: a route with xmpp takes stanzas, whatever the host: its domain must be \*$/m,
      'a target without port': /^line 2, column 3: target bad format: it has no port, as in localhost:80$/m,
      'a target as URL':
        /^line 3, column 3: target bad format: write host:port, with ssl for https, and no scheme or path$/m,
      'no targets at all': /^line 4: must specify condition and at least one target$/m,
    },
  },
  {
    config: 'routes: ["* test"]\nxmpp_secret: x\nxmpp_component: push.example.com@localhost:70000\n',
    said: {
      'a port that there is not': /^\.\/a:3: xmpp_component: its port must be from 1 to 65535$/m,
    },
  },
  {
    config: 'routesfile: nowhere/routes\n',
    said: {
      'a routes file that is not there': /cannot read routes file \.\/nowhere\/routes: /m,
    },
  },
  {
    config: 'redis_url: localhost:6379\n',
    said: {
      'the URL of Redis without its scheme': /^redis_url: .*it has no scheme: write redis:\/\/ before the host/m,
    },
  },
  {
    config: 'redis_url: reddis://localhost:6379\n',
    said: {
      'the URL of Redis with a misspelled scheme': /^redis_url: .*'reddis' is not one of its schemes/m,
    },
  },
  {
    config: 'https_ports: 8443\ntls_certs_dir: empty\n',
    said: {
      'a TLS listener without any certificate':
        /^https_ports: port 8443 has no usable certificate in \.\/empty: put default_8443\.crt and default_8443\.key there/m,
    },
  },
  {
    config: 'https_ports: 8443\ntls_certs_dir: junk\n',
    said: {
      'junk for a certificate':
        /^tls_certs_dir: \.\/junk\/default_8443\.crt cannot be used: it, or its key, is not in PEM/m,
    },
  },
  {
    config: 'https_ports: 8443\ntls_certs_dir: keyless\n',
    said: {
      'a certificate without its key': /^tls_certs_dir: \.\/keyless\/default_8443\.key does not exist$/m,
    },
  },
  {
    config: 'routes: ["* 127.0.0.1:8000,ssl,client_cert=junk/default_8443.crt,client_key=junk/default_8443.key"]\n',
    said: {
      'a client certificate that is none':
        /^route \*,\*,\*,\*: client_cert: junk\/default_8443\.crt cannot be used: it, or its key, is not in PEM/m,
    },
  },
];

function check(t: Test, { config, env }: Pick<Mistaken, 'config' | 'env'>) {
  const directory = newDirectory(t);
  for (const name of ['empty', 'junk', 'keyless']) mkdirSync(join(directory, name));
  for (const file of ['junk/default_8443.crt', 'junk/default_8443.key', 'keyless/default_8443.crt']) {
    writeFileSync(join(directory, file), 'this is no certificate\n');
  }
  writeFileSync(join(directory, 'a'), config);
  const child = runHoldfast(t, { directory, args: ['check-config', '--config', 'a'], ...(env && { env }) });
  return child.exited.then(({ code }) => ({ code, said: child.stderr.replaceAll(directory, '.') }));
}

t.test('check-config', async (t) => {
  for (const mistaken of MISTAKEN) {
    const { code, said } = await check(t, mistaken);
    for (const [what, expected] of Object.entries(mistaken.said))
      await t.test(what, async (t) => {
        t.match(said, expected);
        t.equal(code, mistaken.tolerated === true ? 0 : 1);
      });
  }
});

t.test('check-config has nothing to say of every property that means something', async (t) => {
  const route =
    '*,id=a,proto=http,ssl=no,path_beg=/,path_rem=1,replace_beg=/b,debug,log_level=2,no_grip,session,history,resume';
  const more =
    'prefix=p,sig_iss=i,sig_key=k,header=A:b,orig_headers,as_host=h,aco,aco_origins=*,link_hosts=l,sockjs=/s';
  const jsonp = 'sockjs_as_path=/s,jsonp_mode=basic,jsonp_cb=c,jsonp_body=b,jsonp_defcb=d,jsonp_defmethod=PUT';
  const lists = 'jsonp_methods=GET,jsonp_headers=A';
  const target =
    '127.0.0.1:1,ssl,insecure,host=h,trust_connect_host,untrusted,sub=a,over_http,one_event,ipc_file_mode=777';
  const line = `${route},${more},${jsonp},${lists} ${target} test,channels=a`;
  const { code, said } = await check(t, { config: `sig_key: secret\nroutes: [${JSON.stringify(line)}]\n` });
  t.strictSame([code, said], [0, '']);
});

for (const edge of ['node', 'uws'] as const) {
  const routes = ['known.example,path_bge=/a 127.0.0.1:1,over_htp'];
  const holdfast = await startHoldfast(t, { routes, settings: { edge, client_buffer_size: 4_096 } });

  t.test(`${edge}: a start warns of properties without a meaning, and of a host that no route is for`, async (t) => {
    for (const said of [/'path_bge'; did you mean path_beg\?/, /'over_htp'; did you mean over_http\?/]) {
      await holdfast.record(
        `${said}`,
        ({ level, part, msg }) => level === 'warn' && part === 'routes' && said.test(`${msg}`),
      );
    }
    await ask(t, `${holdfast.clients}/`, { headers: { Host: 'konwn.example' } });
    const line = await holdfast.record('of the host', ({ msg }) => /No route for host: konwn\.example/.test(`${msg}`));
    t.match(line, {
      level: 'warn',
      code: 'ERR_REQUEST_NO_ROUTE',
      msg: /is it spelled right in the routes, or is a line for \* missing\?$/,
    });
  });

  t.test(`${edge}: requests that are refused for their form are seen, with who sent them and the limit`, async (t) => {
    const long = await connectTo(t, holdfast.clients);
    long.send('GET / HTTP/1.1', 'Host: a', `X: ${'x'.repeat(5_000)}`, '');
    const tooLong = await holdfast.record('of 431', ({ status, part }) => status === 431 && part === 'edge');
    t.match(tooLong, {
      level: 'warn',
      client: '127.0.0.1',
      msg: /^request of 127\.0\.0\.1 refused with 431: .*client_buffer_size/,
    });
    const odd = await connectTo(t, holdfast.clients);
    odd.send('GET / HTTP/1.1', 'Host: a b', '');
    const malformed = await holdfast.record('of 400', ({ status, part }) => status === 400 && part === 'edge');
    t.match(malformed, { level: 'info', client: '127.0.0.1', msg: /^request of 127\.0\.0\.1 refused with 400: / });
  });
}

t.test('a start warns of TLS listeners and certificates that serve nobody', async (t) => {
  if (spawnSync('openssl', ['version']).status !== 0) {
    t.comment('openssl is not installed');
    return;
  }
  const directory = newDirectory(t);
  const { certFile } = makeCertificate({ directory, base: 'a.example', names: ['DNS:a.example'] });
  const other = makeCertificate({ directory, base: 'b.example', names: ['DNS:b.example'] });
  copyFileSync(certFile, other.certFile);
  const port = await import('../../kit/ports.js').then(({ freePort }) => freePort());
  const settings = { https_ports: `127.0.0.1:${port}`, tls_certs_dir: directory };
  const holdfast = await startHoldfast(t, { routes: ['* test'], settings, directory });
  for (const said of [
    /b\.example\.crt cannot be used: its key is that of another certificate/,
    new RegExp(`port ${port} has no default certificate: clients that name no server, or an unknown one, are refused`),
  ]) {
    await holdfast.record(
      `${said}`,
      ({ level, part, msg }) => level === 'warn' && part === 'tls' && said.test(`${msg}`),
    );
  }
  await t.rejects(fetch(`https://localhost:${port}/`));
  const refused = await holdfast.record('of the client', ({ msg }) =>
    /^TLS client refused: no certificate for/.test(`${msg}`),
  );
  t.match(refused, { level: 'info', part: 'edge', serverName: 'localhost', port });
});
