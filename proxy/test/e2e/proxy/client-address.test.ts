/** Who a client is behind real load balancers: HAProxy with the PROXY protocol, nginx with X-Forwarded-For. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { startChild } from '../../kit/child.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs } from '../../kit/clients/ws-client.js';
import { type Holdfast, type HoldfastOptions, newDirectory, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { freePort, isDead } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

/** Where the load balancers are: to Holdfast another address than those of the clients. */
const BALANCER = '127.0.0.9';
/** Where clients are. */
const CLIENT = '127.0.0.8';

const FIELDS = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'x-real-ip'] as const;

/** What the origin has been given of the client. */
type Given = Partial<Record<(typeof FIELDS)[number] | 'host', string>>;

const origin = await startOrigin(t, (request, response) => {
  if (request.url === '/stream') response.writeHead(200, streamHold('room')).end('open\n');
  else {
    const given = ['host', ...FIELDS].map((name) => [name, request.headers[name]]);
    response.end(JSON.stringify(Object.fromEntries(given)));
  }
});

function start(t: Test, settings: HoldfastOptions['settings']): Promise<Holdfast> {
  return startHoldfast(t, {
    routes: [`* ${origin.target}`],
    settings: { x_forwarded_for: 'append', log_from: true, log_format: 'json', ...settings },
  });
}

/** Starts a program that listens on a port, and waits until it does. */
async function serve(t: Test, command: string, args: readonly string[], port: number): Promise<void> {
  startChild(t, { command, args });
  await until(`${command} listens`, async () => !(await isDead(port)));
}

/** An HAProxy that passes connections on with what `send` says; resolves with its port. */
async function haproxy(t: Test, target: string, send: string, bind = ''): Promise<number> {
  const port = await freePort();
  const file = join(newDirectory(t), 'haproxy.cfg');
  const lines = [
    'defaults',
    ...['  mode tcp', '  timeout connect 5s', '  timeout client 30s', '  timeout server 30s'],
    'listen clients',
    ...[`  bind 127.0.0.1:${port}${bind}`, `  server holdfast ${new URL(target).host} source ${BALANCER} ${send}`],
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  await serve(t, 'haproxy', ['-db', '-f', file], port);
  return port;
}

/** An nginx with these lines in its `location`; resolves with its port. */
async function nginx(t: Test, target: string, lines: readonly string[]): Promise<number> {
  const port = await freePort();
  const directory = newDirectory(t);
  const file = join(directory, 'nginx.conf');
  const config = `
    daemon off; pid ${directory}/pid; error_log stderr; worker_processes 1; events {}
    http {
      access_log off; client_body_temp_path ${directory}/a; proxy_temp_path ${directory}/b; fastcgi_temp_path ${directory}/c;
      uwsgi_temp_path ${directory}/d; scgi_temp_path ${directory}/e;
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass ${target}; proxy_bind ${BALANCER}; proxy_http_version 1.1; proxy_buffering off; ${lines.join('; ')};
        }
      }
    }`;
  writeFileSync(file, config);
  await serve(t, 'nginx', ['-p', directory, '-c', file], port);
  return port;
}

const given = (text: string) => JSON.parse(text) as Given;
const from = (holdfast: Holdfast) =>
  holdfast.records().flatMap(({ method, from }) => (method === undefined ? [] : [String(from)]));

/** What a client writes that wants to be somebody else. */
const SPOOFED = {
  'X-Forwarded-For': '203.0.113.66',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'evil.example',
  'X-Real-IP': '203.0.113.66',
  Forwarded: 'for=203.0.113.66;proto=https;host=evil.example',
};

for (const send of ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl']) {
  t.test(`HAProxy with ${send}: the log and the origin have the client’s address`, async (t) => {
    const listen = `127.0.0.1:0?proxy_protocol=v1v2&from=${BALANCER}`;
    const holdfast = await start(t, { http_port: listen });
    const port = await haproxy(t, holdfast.clients, send);
    const answer = await ask(t, `http://127.0.0.1:${port}/`, { localAddress: CLIENT });
    t.equal(given(answer.text)['x-forwarded-for'], CLIENT);
    const stream = await open(t, `http://127.0.0.1:${port}/stream`, { localAddress: CLIENT });
    await holdfast.holds('stream', 1);
    await holdfast.publish({ channel: 'room', formats: { 'http-stream': { content: 'item\n' } } });
    await stream.until('open\nitem\n');
    await until('both in the log', () => from(holdfast).length === 2);
    t.strictSame(from(holdfast), [CLIENT, CLIENT]);
    const direct = await ask(t, holdfast.clients, { localAddress: CLIENT }).catch((error: Error) => error.message);
    t.type(direct, 'string', `a client that comes past HAProxy is not served: ${JSON.stringify(direct)}`);
  });
}

t.test('HAProxy that ends TLS says so with send-proxy-v2-ssl', async (t) => {
  const directory = newDirectory(t);
  const { cert, key } = makeCertificate({ directory, base: 'localhost', names: ['DNS:localhost'] });
  const pem = join(directory, 'both.pem');
  writeFileSync(pem, cert + key);
  const holdfast = await start(t, { http_port: `127.0.0.1:0?proxy_protocol=v2&from=${BALANCER}` });
  const port = await haproxy(t, holdfast.clients, 'send-proxy-v2-ssl', ` ssl crt ${pem}`);
  const answer = await ask(t, `https://localhost:${port}/`, { ca: cert, localAddress: CLIENT });
  t.match(given(answer.text), { 'x-forwarded-for': CLIENT, 'x-forwarded-proto': 'https' });
});

t.test('HAProxy in front of a TLS listener', async (t) => {
  const directory = newDirectory(t);
  const { cert } = makeCertificate({ directory, base: 'localhost', names: ['DNS:localhost'] });
  const listen = `127.0.0.1:0?proxy_protocol=v2&from=${BALANCER}`;
  const holdfast = await start(t, { https_ports: listen, tls_certs_dir: directory });
  const port = await haproxy(t, holdfast.url('clients', 'https'), 'send-proxy-v2');
  const answer = await ask(t, `https://localhost:${port}/`, { ca: cert, localAddress: CLIENT });
  t.match(given(answer.text), { 'x-forwarded-for': CLIENT, 'x-forwarded-proto': 'https' });
});

for (const edge of ['node', 'uws'])
  t.test(`nginx with X-Forwarded-For, edge ${edge}: log and origin have the client’s address`, async (t) => {
    const holdfast = await start(t, { trusted_proxies: BALANCER, set_forwarded: true, edge });
    const lines = [
      'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for',
      'proxy_set_header X-Forwarded-Proto $scheme',
      'proxy_set_header Host $host',
    ];
    const port = await nginx(t, holdfast.clients, lines);
    const url = `http://127.0.0.1:${port}`;
    const plain = await ask(t, url, { localAddress: CLIENT });
    t.match(given(plain.text), {
      'x-forwarded-for': `${CLIENT}, ${BALANCER}`,
      forwarded: `for=${CLIENT};host="127.0.0.1";proto=http, for=${BALANCER}`,
    });
    const headers = { ...SPOOFED, 'X-Forwarded-Host': '' };
    const spoofed = await ask(t, url, { localAddress: CLIENT, headers });
    t.match(given(spoofed.text), {
      'x-forwarded-for': `${CLIENT}, ${BALANCER}`,
      forwarded: `for=${CLIENT};host="127.0.0.1";proto=http, for=${BALANCER}`,
    });
    t.notMatch(spoofed.text, '203.0.113.66');
    const stream = await open(t, `${url}/stream`, { localAddress: CLIENT });
    await holdfast.holds('stream', 1);
    await stream.until('open\n');
    await until('all in the log', () => from(holdfast).length === 3);
    t.strictSame(from(holdfast), [CLIENT, CLIENT, CLIENT]);
  });

t.test('what a client writes itself never shows', async (t) => {
  const holdfast = await start(t, { trusted_proxies: BALANCER });
  const answer = await ask(t, holdfast.clients, { localAddress: CLIENT, headers: SPOOFED });
  const { host, ...others } = given(answer.text);
  t.equal(host, new URL(holdfast.clients).host);
  t.strictSame(others, { 'x-forwarded-for': CLIENT });
  await until('it in the log', () => from(holdfast).length === 1);
  t.strictSame(from(holdfast), [CLIENT]);
  t.notMatch(holdfast.child.stdout, /203\.0\.113\.66|evil\.example/);
});

t.test('a WebSocket has the client’s address too', async (t) => {
  const holdfast = await startHoldfast(t, {
    routes: ['* test'],
    settings: { trusted_proxies: '127.0.0.0/8', log_from: true, log_format: 'json' },
  });
  await openWs(t, `${holdfast.clients.replace('http', 'ws')}/`, {
    headers: { 'X-Forwarded-For': '203.0.113.66, 198.51.100.7' },
  }).catch(() => undefined);
  await until('in the log', () => from(holdfast).length >= 1);
  t.strictSame([...new Set(from(holdfast))], ['198.51.100.7']);
});
