/** The examples verify Grip-Sig, where they are given the key: a request that only poses as the proxy's is refused. */
import { join } from 'node:path';
import { parseSigKey, type SigKey, signGripSig } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { root, startChild } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

const KEY = 'a secret of the proxy';

/** The example as a child process, with this query behind its GRIP_URL. */
async function start(t: Test, path: string, query: string, control = 1) {
  const child = startChild(t, {
    command: process.execPath,
    args: [join(root, 'examples', path)],
    env: { PORT: '0', GRIP_URL: `http://127.0.0.1:${control}/${query}` },
  });
  const [, target] = await child.line(/listening on http:\/\/(\S+)\n/);
  return { child, target: target as string, url: `http://${target}` };
}

const now = () => Math.floor(Date.now() / 1_000);
const signed = (key: string, at = now()) =>
  signGripSig('pushpin', parseSigKey(key, () => Buffer.alloc(0)) as SigKey, at);
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = { iss: 'pushpin', exp: now() + 3_600 };

/** What poses as the proxy's signature. */
const forged: Readonly<Record<string, string>> = {
  'another key': signed('another secret'),
  'the key, but long ago': signed(KEY, now() - 7_200),
  'no signature': `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`,
  'an algorithm that the key is not for': `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.${'A'.repeat(342)}`,
  'an algorithm that does not exist': `${part({ alg: 'x' })}.${part(claims)}.AAAA`,
  'a good one with other claims': signed(KEY).replace(/\.[^.]+\./, `.${part({ ...claims, iss: 'x' })}.`),
  'no token': 'x',
  'an empty field': '',
  'two of them': `${signed(KEY)}, ${signed(KEY)}`,
};

/** A request that the example obeys when it is the proxy's, and how it answers then. */
const examples = [
  {
    path: 'express-origin/server.mjs',
    of: { path: '/stream' },
    good: { status: 200, headers: { 'grip-hold': 'stream' } },
    missing: { status: 501 },
  },
  ...[
    ['chat/server.mjs', '/rooms/blue'],
    ['chat-lambda/runner.mjs', '/rooms/blue'],
    ['fanloop/server.mjs', '/ws'],
    ['user-messages/server.mjs', '/ws?userId=ann'],
  ].map(([file = '', path = '']) => ({
    path: file,
    of: {
      path,
      method: 'POST',
      body: 'OPEN\r\n',
      headers: {
        Accept: 'application/websocket-events',
        'Content-Type': 'application/websocket-events',
        'Connection-Id': 'c1',
        'Sec-WebSocket-Extensions': 'grip',
      },
    },
    good: { status: 200, headers: { 'content-type': 'application/websocket-events' } },
    missing: { status: 501 },
  })),
];

for (const { path, of, good, missing } of examples) {
  t.test(path, async (t) => {
    const { url } = await start(t, path, `?verify-key=${encodeURIComponent(KEY)}`);
    const { path: asked, ...request } = { headers: {}, ...of };
    const send = (fields: Record<string, string>) =>
      ask(t, url + asked, { ...request, headers: { ...request.headers, ...fields } });
    t.match(await send({ 'Grip-Sig': signed(KEY) }), good, 'the key of the proxy');
    for (const [what, signature] of Object.entries(forged)) {
      const answer = await send({ 'Grip-Sig': signature });
      t.match(answer, { status: 403, text: 'Grip-Sig is not that of the proxy.\n' }, what);
      t.equal(answer.headers['grip-hold'], undefined);
    }
    t.match(await send({}), missing, 'none at all');
  });
}

t.test('behind Holdfast: with its key requests are obeyed, with another they are refused', async (t) => {
  const control = await freePort();
  const { target } = await start(t, 'express-origin/server.mjs', `?verify-key=${encodeURIComponent(KEY)}`, control);
  for (const [key, status] of [
    [KEY, 200],
    ['another secret', 403],
  ] as const) {
    const settings = { push_in_http_port: key === KEY ? control : await freePort(), sig_key: key };
    const { clients } = await startHoldfast(t, { routes: [`* ${target}`], settings });
    t.equal((await ask(t, `${clients}/`)).status, status);
  }
});

t.test('without a key the example says that it verifies nothing', async (t) => {
  const { child } = await start(t, 'express-origin/server.mjs', '');
  await until('the warning', () => child.stderr.includes('GRIP_URL has no verify-key'));
});
