import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { streamMessage } from '../../items.js';
import { makeNode, startNode } from './backplane-fixture.js';
import { startRedis, tempFolder, until } from './redis-fixture.js';

t.test('redis: TLS with a certificate of both sides', async (t) => {
  const folder = tempFolder(t);
  const file = (name: string) => join(folder, name);
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...key, '-days', '1', ...subject, '-keyout', file('key.pem'), '-out', file('cert.pem')],
    { stdio: 'ignore' },
  );
  const files = [
    '--tls-cert-file',
    file('cert.pem'),
    '--tls-key-file',
    file('key.pem'),
    '--tls-ca-cert-file',
    file('cert.pem'),
  ];
  const cliArgs = ['--tls', '--cacert', file('cert.pem'), '--cert', file('cert.pem'), '--key', file('key.pem')];
  const server = await startRedis(t, { tls: true, args: files, cliArgs });
  const pem = (name: string) => readFileSync(file(name), 'utf8');
  const tls = { ca: pem('cert.pem'), cert: pem('cert.pem'), key: pem('key.pem') };
  const url = server.url.replace('redis:', 'rediss:');
  const { backplane, listener } = await startNode(t, url, { tls });
  await backplane.subscribe('a');
  await backplane.publish([streamMessage('a', '1')]);
  await listener.saw('a/1');
  const distrustful = makeNode(url);
  await t.rejects(distrustful.backplane.start(distrustful.listener), { code: 'ERR_BACKPLANE_UNAVAILABLE' });
});

t.test('redis: a user that may do no more than is needed, under the prefix only', async (t) => {
  const server = await startRedis(t);
  const commands =
    'eval evalsha subscribe unsubscribe publish ping hello client|setname info select get mget set del hget hset hmget hincrby pexpire pttl xadd xrange xrevrange time hdel zadd zrem zrangebyscore';
  const rules = [
    'on',
    '>s3cret',
    '~mine:*',
    '&mine:*',
    '-@all',
    ...commands.split(' ').map((command) => `+${command}`),
  ];
  await server.cli('acl', 'setuser', 'holdfast', ...rules);
  await server.cli('acl', 'setuser', 'default', 'off');
  const url = server.url.replace('//', '//holdfast:s3cret@');
  const { backplane, listener, events } = await startNode(t, url, { redisPrefix: 'mine' });
  await backplane.subscribe('a');
  const [acceptance] = await backplane.publish([streamMessage('a', '1')]);
  await listener.saw('a/1');
  const position = acceptance?.position ?? { epoch: '', offset: 0 };
  const page = await backplane.read('a', { after: { ...position, offset: 0 } }, 10);
  t.equal(page?.messages.length, 1);
  const found = await backplane.read('a', { afterId: '1' }, 10);
  t.strictSame(found?.end, position);
  t.strictSame(events.counts, { history: 2 });
});

t.test('redis: systems with different prefixes do not see each other', async (t) => {
  const server = await startRedis(t);
  const one = await startNode(t, server.url, { redisPrefix: 'one' });
  const two = await startNode(t, server.url, { redisPrefix: 'two' });
  await one.backplane.subscribe('a');
  await two.backplane.subscribe('a');
  await one.backplane.publish([streamMessage('a', '1'), { type: 'recover' }]);
  await two.backplane.publish([streamMessage('a', '2')]);
  await one.listener.saw('recover');
  await two.listener.saw('a/2');
  t.strictSame(one.listener.labels, ['a/1', 'recover']);
  t.strictSame(two.listener.labels, ['a/2']);
  const keys = (await server.cli('keys', '*')).split('\n');
  t.strictSame(
    keys.filter((key) => !/^(one|two):\{\d+\}:/.test(key)),
    [],
  );
});

t.test('redis: a password that is wrong is an error at the start, and in no log', async (t) => {
  const server = await startRedis(t, {
    args: ['--requirepass', 'right'],
    cliArgs: ['-a', 'right', '--no-auth-warning'],
  });
  const { backplane, listener, log } = makeNode(server.url.replace('//', '//:wr0ng@'));
  const error: unknown = await backplane.start(listener).catch((reason: unknown) => reason);
  t.match(error, { code: 'ERR_BACKPLANE_UNAVAILABLE', message: /unreachable since/ });
  const seen = log.lines.map(({ fields }) =>
    fields.err instanceof Error ? { ...fields.err, text: String(fields.err) } : fields,
  );
  t.notMatch(JSON.stringify(seen), 'wr0ng');
  t.match(JSON.stringify(seen), 'WRONGPASS');
});

t.test('redis: a server that is not there at the start is an error', async (t) => {
  const server = await startRedis(t);
  await server.kill();
  const { backplane, listener } = makeNode(server.url);
  await t.rejects(backplane.start(listener), { code: 'ERR_BACKPLANE_UNAVAILABLE' });
  t.match(backplane.unavailableReason, 'unreachable');
});

t.test('redis: nothing is left behind by nodes but what expires', async (t) => {
  const server = await startRedis(t);
  const { backplane } = await startNode(t, server.url);
  await backplane.publish([streamMessage('a', '1'), { type: 'recover' }]);
  const keys = (await server.cli('keys', '*')).split('\n');
  // Of the channel and of recovers: where they stand and the history, and the id that was given; one result for both.
  t.equal(keys.length, 6);
  for (const key of keys) t.ok(Number(await server.cli('pttl', key)) > 0, key);
  await backplane.close();
  await until('the connections are closed', async () => (await server.cli('client', 'list')).split('\n').length === 1);
});
