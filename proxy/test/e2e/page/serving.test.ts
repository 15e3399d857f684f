/** How the live page is served: its files, their heads, who may have them, and the control API below it. */
import { writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ask } from '../../kit/clients/http-client.js';
import { type Holdfast, newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';

const KEY = 'a-key-of-the-test-0123';

/** The path goes out as it is. */
function raw(holdfast: Holdfast, path: string, method = 'GET'): Promise<IncomingMessage> {
  const { hostname, port } = new URL(holdfast.url('admin'));
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, method, agent: false }, (response) => resolve(response.resume()))
      .on('error', reject)
      .end();
  });
}

const startPage = (t: Test, settings: Readonly<Record<string, string | number | boolean>> = {}, route = '* test') =>
  startHoldfast(t, { routes: [route], settings: { admin_ui: true, ...settings } });

t.test('without admin_ui there is no page, and no control API on the admin listener', async (t) => {
  const holdfast = await startHoldfast(t, { routes: ['* test'] });
  for (const path of ['/ui', '/ui/', '/ui/main.js', '/ui/api/nodes'])
    t.match(await ask(t, `${holdfast.url('admin')}${path}`), { status: 404 }, path);
});

t.test('each file comes with its type, and with a policy that lets nothing else run or be asked', async (t) => {
  const holdfast = await startPage(t);
  const admin = holdfast.url('admin');
  const clients = new URL(holdfast.clients).port;
  for (const [path, type] of [
    ['', 'text/html; charset=utf-8'],
    ['?x', 'text/html; charset=utf-8'],
    ['style.css', 'text/css; charset=utf-8'],
    ['uplot.css', 'text/css; charset=utf-8'],
    ['main.js', 'text/javascript; charset=utf-8'],
    ['views/try.js', 'text/javascript; charset=utf-8'],
    ['uplot.js', 'text/javascript; charset=utf-8'],
  ] as const) {
    const { status, headers, text } = await ask(t, `${admin}/ui/${path}`);
    t.equal(status, 200, path);
    t.match(headers, { 'content-type': type, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
    t.ok(text.length > 100);
    const policy = String(headers['content-security-policy']).split('; ');
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"])
      t.ok(policy.includes(part), part);
    t.ok(policy.includes("require-trusted-types-for 'script'") && policy.includes("trusted-types 'none'"));
    t.ok(policy.includes(`connect-src 'self' http://127.0.0.1:${clients} ws://127.0.0.1:${clients}`), policy.join());
    t.notMatch(policy.join(), /unsafe|\*/);
  }
  const named = await ask(t, `${admin}/ui/`, { headers: { Host: 'localhost:1234' } });
  t.match(named.headers['content-security-policy'], `http://localhost:${clients} ws://localhost:${clients}`);
});

t.test('HEAD has no body, /ui leads to /ui/, and other methods are refused', async (t) => {
  const holdfast = await startPage(t);
  const admin = holdfast.url('admin');
  t.match(await ask(t, `${admin}/ui/`, { method: 'HEAD' }), { status: 200, text: '' });
  t.match(await raw(holdfast, '/ui'), { statusCode: 308, headers: { location: '/ui/' } });
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    t.match(await raw(holdfast, '/ui/', method), { statusCode: 405, headers: { allow: 'GET' } }, method);
});

t.test('nothing but the files of the page is there', async (t) => {
  const holdfast = await startPage(t);
  for (const path of [
    '/ui/../package.json',
    '/ui/..%2fpackage.json',
    '/ui/%2e%2e/package.json',
    '/ui/views/../../package.json',
    '/ui//etc/passwd',
    '/ui/views/',
    '/ui/views',
    '/ui/constructor',
    '/ui/__proto__',
    '/ui/main.js%00.css',
    '/ui/main.ts',
    '/UI/',
  ])
    t.equal((await raw(holdfast, path)).statusCode, 404, path);
});

t.test('pages of other sites, and names that were moved here, get nothing of it', async (t) => {
  const holdfast = await startPage(t);
  for (const path of ['/ui/', '/ui/main.js', '/ui/api/nodes', '/ui/api/config']) {
    const get = (headers: Readonly<Record<string, string>>) => ask(t, `${holdfast.url('admin')}${path}`, { headers });
    t.match(await get({ Origin: 'http://evil.test' }), { status: 403 }, path);
    t.match(await get({ 'Sec-Fetch-Site': 'cross-site' }), { status: 403 }, path);
    t.match(await get({ Host: 'evil.test:5580' }), { status: 403 }, path);
    // Not even in the policy, from which a name could get out.
    t.match(await get({ Host: "127.0.0.1; script-src 'unsafe-inline'" }), { status: 403 }, path);
  }
});

t.test(
  'the control API is below it, with the keys that it asks for on its own port, or where it has none',
  async (t) => {
    const settings = { control_key: KEY, push_in_http_port: -1, admin_auth: true };
    const holdfast = await startPage(t, settings);
    const api = `${holdfast.url('admin')}/ui/api`;
    const headers = { Authorization: `Bearer ${KEY}` };
    t.match(await ask(t, `${holdfast.url('admin')}/ui/`), { status: 200 }, 'the page itself has nothing to hide');
    for (const path of ['/nodes', '/config', '/routes', '/channels/a', '/channels/a/items'])
      t.match(await ask(t, `${api}${path}`), { status: 401 }, path);
    t.match(await ask(t, `${api}/publish/`, { method: 'POST', body: '{"items":[]}' }), { status: 401 });
    t.match(JSON.parse((await ask(t, `${api}/nodes`, { headers })).text), { nodes: [{ workers: 1 }] });
    const item = { channel: 'test', formats: { 'http-stream': { content: 'x' } } };
    const asking = { method: 'POST', headers, body: JSON.stringify({ items: [item] }) };
    t.match(await ask(t, `${api}/publish/`, asking), { status: 200, text: /^Published/ });
    t.match(await ask(t, `${api}/nothing`, { headers }), { status: 404 });
  },
);

t.test('configuration and routes are for keys without channels', async (t) => {
  const directory = newDirectory(t);
  const keys = [
    { id: 'some', key: `${KEY}-some`, allow: ['view'], channels: ['a-*'] },
    { id: 'other', key: `${KEY}-other`, allow: ['publish', 'tap'] },
    { id: 'all', key: `${KEY}-all`, allow: ['view'] },
  ];
  writeFileSync(join(directory, 'keys.yaml'), JSON.stringify(keys), { mode: 0o600 });
  const settings = { admin_ui: true, control_keys_file: 'keys.yaml' };
  const holdfast = await startHoldfast(t, { routes: ['* test'], settings, directory });
  for (const path of ['/config', '/routes'])
    for (const [id, status] of Object.entries({ some: 403, other: 403, all: 200 })) {
      const headers = { Authorization: `Bearer ${KEY}-${id}` };
      for (const base of [holdfast.control, `${holdfast.url('admin')}/ui/api`])
        t.match(await ask(t, `${base}${path}`, { headers }), { status }, `${path} for ${id}`);
    }
});

t.test('no secret is shown with the configuration or the routes', async (t) => {
  const secrets = {
    sig_key: 'shown-nowhere-1',
    control_key: KEY,
    events_url: 'http://127.0.0.1:9/hook?token=shown-nowhere-2',
    events_key: 'whsec_c2hvd24tbm93aGVyZS1zaG93bi1ub3doZXJl',
  };
  const route =
    '*,id=web,sig_key=shown-nowhere-3,header=X-Secret:shown-nowhere-4,prefix=app- subscribe,token_key=shown-nowhere-5-shown-nowhere-5-shown,token_iss=me';
  const holdfast = await startPage(t, { ...secrets, workers: 2 }, route);
  const headers = { Authorization: `Bearer ${KEY}` };
  const shown = await ask(t, `${holdfast.url('admin')}/ui/api/config`, { headers });
  const routes = await ask(t, `${holdfast.control}/routes`, { headers });
  for (const { status, text } of [shown, routes]) {
    t.equal(status, 200);
    t.notMatch(text, /shown-nowhere|c2hvd24|a-key-of/);
  }
  t.match(JSON.parse(shown.text), { yaml: /^admin_ui: true$/m, clients: [holdfast.clients] });
  t.match(JSON.parse(shown.text).yaml, /^# events_url: <redacted>$/m);
  t.strictSame(JSON.parse(routes.text), {
    routes: [
      {
        condition: '*,*,*,*',
        id: 'web',
        properties: ['prefix=app-', 'sig_key=…', 'header=X-Secret:…'],
        targets: [{ target: 'subscribe', properties: ['token_iss=me', 'token_cookie=holdfast_token', 'token_key=…'] }],
      },
    ],
  });
});

t.test('an admin listener that others can reach has no page without keys', async (t) => {
  const directory = newDirectory(t);
  const args = ['--route', '* test', 'check-config'];
  const check = async (env: Readonly<Record<string, string>>) => {
    const child = runHoldfast(t, { directory, args, env: { HOLDFAST_ADMIN_UI: 'true', ...env } });
    return { status: (await child.exited).code, text: child.stdout + child.stderr };
  };
  const open = await check({ HOLDFAST_ADMIN_PORT: '0.0.0.0:0' });
  t.not(open.status, 0);
  t.match(open.text, /ADMIN_UI: everybody who can reach the admin listener at 0\.0\.0\.0 could publish/);
  t.equal((await check({ HOLDFAST_ADMIN_PORT: '0.0.0.0:0', HOLDFAST_CONTROL_KEY: KEY })).status, 0);
  t.equal((await check({ HOLDFAST_ADMIN_PORT: '127.0.0.1:0' })).status, 0);
});
