/** ZeroMQ with CURVE on a whole node: who gets in, the file of clients, and that no secret shows anywhere. */
import { spawnSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import * as zeromq from 'zeromq';
import { commandFile } from '../../kit/child.js';
import { open } from '../../kit/clients/http-client.js';
import { newDirectory, runHoldfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

interface Pair {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** Keys as an operator makes them, of the node; those of publishers are of their library. */
function makePair(): Pair {
  const { status, stdout } = spawnSync(process.execPath, [commandFile('holdfast'), 'curve-keys']);
  const [, publicKey = '', secretKey = ''] = /^public: '(.{40})'\nsecret: '(.{40})'\n$/.exec(String(stdout)) ?? [];
  if (status !== 0 || secretKey === '') throw new Error(`no keys: ${stdout}`);
  return { publicKey, secretKey };
}

const node = makePair();
/** `friend` is a client until the file is replaced, `later` from then on, `constant` throughout. */
const [friend, later, constant, stranger] = [1, 2, 3, 4].map(() => zeromq.curveKeyPair()) as [Pair, Pair, Pair, Pair];

/** A PUSH socket that publishes on `room`; `refused` resolves when it is turned away. */
function publisher(t: Test, uri: string, keys: Pair | undefined) {
  const curve = keys && {
    curvePublicKey: keys.publicKey,
    curveSecretKey: keys.secretKey,
    curveServerKey: node.publicKey,
  };
  const socket = new zeromq.Push({ linger: 0, ...curve });
  t.teardown(() => socket.close());
  const refused = new Promise<void>((resolve) => {
    for (const event of ['handshake:error:auth', 'handshake:error:protocol'] as const)
      socket.events.on(event, () => resolve());
  });
  socket.connect(uri);
  return { refused, publish: (content: string) => socket.send(`J${JSON.stringify(streamItem('room', content))}`) };
}

async function start() {
  const directory = newDirectory(t);
  const port = await freePort();
  const uri = `tcp://127.0.0.1:${port}`;
  writeFileSync(join(directory, 'node.key'), `${node.secretKey}\n`, { mode: 0o600 });
  const clients = join(directory, 'clients.keys');
  writeFileSync(clients, `# publishers\n${friend.publicKey} billing\n${constant.publicKey} shop\n`);
  const origin = await startOrigin(t, (_, response) => response.writeHead(200, streamHold('room')).end('[open]\n'));
  const holdfast = await startHoldfast(t, {
    directory,
    routes: [`* ${origin.target}`],
    settings: {
      log_format: 'json',
      log_level: 'debug',
      push_in_spec: uri,
      zmq_curve_secret_key_file: 'node.key',
      zmq_curve_client_keys_file: 'clients.keys',
    },
  });
  return { directory, uri, clients, holdfast };
}

const { directory, uri, clients, holdfast } = await start();

async function openStream(t: Test) {
  const stream = await open(t, `${holdfast.clients}/`);
  await stream.until('[open]\n');
  return stream;
}

t.test('the right key publishes, a wrong one and none get nothing in; the file is read again', async (t) => {
  const stream = await openStream(t);
  for (const keys of [stranger, later, undefined]) {
    const { refused, publish } = publisher(t, uri, keys);
    void publish('attacked\n').catch(() => {});
    await refused;
  }
  await publisher(t, uri, friend).publish('one\n');
  await stream.until('one\n');
  writeFileSync(`${clients}.new`, `${later.publicKey} later\n${constant.publicKey} shop\n`);
  renameSync(`${clients}.new`, clients);
  await publisher(t, uri, later).publish('two\n');
  await stream.until('two\n');
  const { refused, publish } = publisher(t, uri, friend);
  void publish('attacked\n').catch(() => {});
  await refused;
  t.equal(stream.text, '[open]\none\ntwo\n');
  t.match(await holdfast.record('of the client', ({ key }) => key === 'billing'), { client: '127.0.0.1' });
  await until('refusals', () => holdfast.records().some(({ publicKey }) => publicKey === stranger.publicKey));
});

t.test('no secret key is in the log, the metrics, or the printed configuration', async (t) => {
  const stream = await openStream(t);
  await publisher(t, uri, constant).publish('one\n');
  await stream.until('one\n');
  const env = { HOLDFAST_ZMQ_CURVE_SECRET_KEY: node.secretKey, HOLDFAST_ZMQ_CURVE_CLIENT_KEYS: friend.publicKey };
  const printed: string[] = [];
  for (const args of [['print-config'], ['check-config'], ['--config', 'holdfast.conf', 'print-config']]) {
    const child = runHoldfast(t, { directory, args, env: args[0] === '--config' ? {} : env });
    await child.exited;
    printed.push(child.stdout, child.stderr);
  }
  t.match(printed.join(), /zmq_curve_secret_key/);
  const outputs = [...printed, holdfast.child.stdout, holdfast.child.stderr, await holdfast.metrics()];
  for (const output of outputs)
    for (const { secretKey } of [node, friend, constant]) t.notOk(output.includes(secretKey));
});

t.test(
  'a secret key that nobody has a client key for, and texts that are no keys, are refused without being shown',
  async (t) => {
    const directory = newDirectory(t);
    const broken = `${node.secretKey.slice(1)}"`;
    const cases = [
      [{ zmq_curve_secret_key: node.secretKey }, /zmq_curve_secret_key: nobody could connect/],
      [
        { zmq_curve_secret_key: broken, zmq_curve_client_keys: friend.publicKey },
        /zmq_curve_secret_key: expected keys/,
      ],
      [{ zmq_curve_secret_key: node.secretKey, zmq_curve_client_keys: broken }, /zmq_curve_client_keys: expected keys/],
      [{ zmq_curve_client_keys: friend.publicKey }, /zmq_curve_client_keys: there is no CURVE without/],
      [{ zmq_curve_publisher_key: friend.publicKey }, /zmq_curve_publisher_key: there is no CURVE without/],
      [{ zmq_curve_secret_key: node.secretKey, zmq_curve_client_keys_file: 'none' }, /none: ENOENT/],
    ] as const;
    for (const [settings, why] of cases) {
      const lines = Object.entries(settings).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
      writeFileSync(join(directory, 'c.yaml'), `http_port: 0\nroutes: ["* test"]\n${lines.join('')}`);
      for (const command of [['check-config'], []]) {
        const child = runHoldfast(t, { directory, args: ['--config', 'c.yaml', ...command] });
        t.equal((await child.exited).code, 1);
        const output = child.stdout + child.stderr;
        t.match(output, why);
        for (const secret of [node.secretKey, broken]) t.notOk(output.includes(secret.slice(1, -1)));
      }
    }
  },
);
