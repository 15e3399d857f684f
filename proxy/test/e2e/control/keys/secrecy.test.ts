/** That no key and no token comes out of a node, whatever is asked of it: all that it says in a whole run is searched for them. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { readJwtKey } from '@holdfast/grip';
import t from 'tap';
import { makeCertificate } from '../../../kit/certificates.js';
import { newDirectory, runHoldfast, startHoldfast, streamItem } from '../../../kit/holdfast.js';
import { until } from '../../../kit/until.js';

/** Each with a mark of its own, which is in its base64 and hexadecimal forms too. */
const secrets = {
  literal: 'literal-SECRETMARK1-0123456789',
  signing: 'signing-SECRETMARK2-0123456789',
  previous: 'previous-SECRETMARK3-012345678',
  one: 'the-one-SECRETMARK4-0123456789',
  fromFile: 'in-a-file-SECRETMARK5-01234567',
  bad: 'in-a-bad-file-SECRETMARK6-0123',
  wrong: 'a-wrong-one-SECRETMARK7-012345',
};

/** Forms in which a secret may come out. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // Of base64, what does not depend on the bytes around it.
  const encoded = [0, 1, 2].map((skip) => bytes.subarray(skip).toString('base64').slice(4, -6));
  const core = secret.slice(2, -2);
  return [
    core,
    encodeURIComponent(core),
    bytes.toString('hex'),
    ...encoded,
    bytes.subarray(0, 8).toString('hex'),
    [...bytes.subarray(0, 8)].join(','),
  ];
}

/** What comes back for these bytes, until the connection is closed or a moment is over. */
function say(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.setTimeout(500, () => socket.destroy());
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
  });
}

/** Until the log takes warnings again: of too many it writes none, and there would be nothing to search. */
const window = () => new Promise((resolve) => setTimeout(resolve, 10_500));

t.test('no output of a whole run holds a key or a token', async (t) => {
  const directory = newDirectory(t);
  const authority = makeCertificate({ directory, base: 'ca' });
  const { key, cert } = makeCertificate({ directory, base: 'idp', names: ['IP:127.0.0.1'], issuer: authority });
  const provider = createServer({ key, cert }, (_, response) => void response.end('nonsense'));
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void provider.close());
  const jwks = `https://127.0.0.1:${(provider.address() as AddressInfo).port}/`;

  const keys = join(directory, 'keys.yaml');
  const write = (text: string) => {
    writeFileSync(`${keys}.next`, text);
    renameSync(`${keys}.next`, keys);
  };
  writeFileSync(join(directory, 'file.key'), secrets.fromFile);
  writeFileSync(join(directory, 'one.key'), secrets.one);
  const good = `
- {id: literal, key: ${secrets.literal}, allow: [publish, view, tap, disconnect, recover, metrics], rate: 50}
- {id: signing, key: ${secrets.signing}, previous: ${secrets.previous}, previous_until: 2030-01-01T00:00:00Z, iss: signing, channels: [room]}
- {id: file, key_file: file.key}
- {id: idp, jwks: '${jwks}', jwks_ca: ca.crt, iss: idp, aud: x}
`;
  write(good);
  const settings = {
    control_keys_file: 'keys.yaml',
    control_key_file: 'one.key',
    log_level: 'debug',
    admin_auth: true,
    push_in_http_max_headers_size: 2_000,
  };
  const outputs: string[] = [];
  const holdfast = await startHoldfast(t, { directory, settings });
  const { control } = holdfast;
  const tokens: string[] = [];
  const token = (claims: object, by = secrets.signing) => {
    const made = readJwtKey(by).sign({ iss: 'signing', exp: Math.floor(Date.now() / 1_000) + 600, ...claims });
    tokens.push(made);
    return made;
  };
  const ask = async (base: string, path: string, headers: Record<string, string>, method = 'GET', body?: string) => {
    const response = await fetch(base + path, { method, headers, ...(body !== undefined && { body }) });
    outputs.push(`${JSON.stringify([...response.headers])}${await response.text()}`);
    return response.status;
  };
  const body = JSON.stringify({ items: [streamItem('room', 'x'), streamItem('news', 'x')] });
  const credentials: Record<string, string>[] = [];
  for (const secret of [
    ...Object.values(secrets),
    token({}),
    token({ exp: 1 }),
    token({}, secrets.previous),
    token({}, secrets.wrong),
  ]) {
    credentials.push({ authorization: `Bearer ${secret}` }, { 'x-api-key': secret }, { 'fastly-key': secret });
    credentials.push({ authorization: `Basic ${Buffer.from(`u:${secret}`).toString('base64')}` });
    credentials.push({ authorization: `Digest ${secret}` }, { authorization: secret });
    credentials.push({ authorization: `Bearer ${secret}`, 'x-api-key': `${secret}x` });
  }
  for (const idp of [
    token({ iss: 'idp' }),
    token({ iss: 'nobody' }),
    token({ iss: 'signing', authorization_details: 7 }),
  ])
    credentials.push({ authorization: `Bearer ${idp}` });
  for (const secret of [...Object.values(secrets), ...tokens.slice(0, 3)]) {
    await ask(control, `/publish/?key=${secret}`, { referer: `http://x/?${secret}` }, 'POST', body);
    await ask(
      control,
      '/publish/',
      { 'x-api-key': secret, origin: 'http://evil.example', referer: `http://x/?${secret}` },
      'POST',
      body,
    );
    await ask(control, '/nodes', { 'x-api-key': secret, 'x-fill': 'x'.repeat(2_100) });
    for (const head of [
      `POST /publish/ HTTP/1.1\r\nX-API-Key: ${secret}\r\nContent-Length: x\r\n\r\n`,
      `POST /publish/ HTTP/1.1\r\nX-API-Key: ${secret}\r\nBad Header\r\n\r\n`,
      `POST /publish/ HTTP/1.1\r\nAuthorization: Bearer ${secret}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      `POST /publish/ HTTP/9.9\r\nAuthorization: Bearer ${secret}\r\n\r\n`,
      `X-API-Key: ${secret}\r\n\r\n`,
    ]) {
      outputs.push(await say(Number(new URL(control).port), head));
    }
  }
  await window();
  for (const headers of credentials)
    await ask(control, '/publish/', { ...headers, accept: 'application/json' }, 'POST', body);
  await window();
  for (const secret of [...Object.values(secrets), ...tokens.slice(0, 4)]) {
    const headers = { 'x-api-key': secret };
    await ask(control, '/publish/', headers, 'POST', body);
    await ask(control, '/publish/', headers, 'POST', '{"items":[{"channel":"room"');
    await ask(control, '/nodes', headers);
    await ask(control, '/channels/room', headers);
    await ask(control, '/connections/x', headers, 'DELETE');
    await ask(control, '/recover/', headers, 'POST');
    await ask(holdfast.url('admin'), '/metrics', headers);
  }
  const tap = await fetch(`${control}/channels/room/items`, { headers: { 'x-api-key': secrets.literal } });
  outputs.push(JSON.stringify([...tap.headers]));
  await tap.body?.cancel();
  for (const [text, said] of [
    [`- id: a\n  key: ${secrets.bad}\n  rate: x\n`, 'rate: expected'],
    [`- id: a\n  key: *${secrets.bad}\n`, 'in quotes'],
    [`- id: a\n  key: !${secrets.bad} x\n`, 'not valid YAML'],
    [`- id: a\n  key: "${secrets.bad}\n`, 'not valid YAML'],
    [`- id: a\n  key: ["${secrets.bad}"]\n`, 'key: expected a text'],
    [`- id: a\n  key: "${secrets.bad}\\nx"\n`, 'visible ASCII'],
    [`- id: a\n  key: base64:${secrets.bad}!\n`, 'not base64'],
    [
      `- id: a\n  key: "-----BEGIN PRIVATE KEY-----\\n${secrets.bad}\\n-----END PRIVATE KEY-----"\n  iss: a\n`,
      'cannot be read',
    ],
    [`- id: a\n  key: '{"kty":"EC","d":"${secrets.bad}"}'\n  iss: a\n`, 'JWK cannot be read'],
    [`- id: a\n  key: ${secrets.literal}\n- id: b\n  key: ${secrets.literal}\n`, 'that of entry 1 too'],
    [`- {id: a, key: ${secrets.bad}, rate: [${secrets.bad}], channels: ['${secrets.bad}', 7]}\n`, 'channels: expected'],
  ] as const) {
    const before = holdfast.child.stdout.length;
    write(text);
    holdfast.child.signal('SIGHUP');
    await until(said, () => holdfast.child.stdout.slice(before).includes(said));
    writeFileSync(join(directory, 'bad.yaml'), 'push_in_http_port: 0\ncontrol_keys_file: keys.yaml\n');
    const check = runHoldfast(t, { directory, args: ['--config', 'bad.yaml', 'check-config'] });
    t.equal((await check.exited).code, 1);
    outputs.push(check.stdout + check.stderr);
  }
  write(good);
  outputs.push(
    await (await fetch(`${holdfast.url('admin')}/metrics`, { headers: { 'x-api-key': secrets.literal } })).text(),
  );
  for (const command of ['print-config', 'check-config', '--help']) {
    const env = { HOLDFAST_CONTROL_KEY: secrets.one };
    for (const more of [[], ['--control-key', secrets.one]]) {
      const child = runHoldfast(t, { directory, env, args: ['--config', 'holdfast.conf', ...more, command] });
      await child.exited;
      outputs.push(child.stdout + child.stderr);
    }
  }
  holdfast.child.signal('SIGTERM');
  await holdfast.child.exited;
  outputs.push(holdfast.child.stdout, holdfast.child.stderr);

  const all = outputs.join('\n');
  t.ok(all.length > 50_000, 'there is something to search');
  t.match(all, /"key":"literal"/, 'ids are shown');
  t.notMatch(all, 'lines left out', 'all lines are there');
  for (const [name, secret] of Object.entries(secrets))
    for (const form of formsOf(secret)) t.notOk(all.includes(form), `${name} as ${form.slice(0, 6)}…`);
  for (const made of tokens) {
    const [, payload = '', signature = ''] = made.split('.');
    t.notOk(all.includes(payload) || all.includes(signature), 'a token');
  }
  t.ok(readFileSync(keys, 'utf8').includes(secrets.literal), 'and the search finds what is there');
});
