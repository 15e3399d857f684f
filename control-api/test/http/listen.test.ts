import { createServer } from 'node:net';
import t from 'tap';
import { listen } from '../../dist/http/listen.js';
import { ControlError } from '../../dist/index.js';
import { startControl } from '../control-fixture.js';

t.test('a port in use is refused with an error that names it', async (t) => {
  const { port } = await startControl(t);
  await t.rejects(startControl(t, { port }), {
    name: 'ControlError',
    code: 'ERR_CONTROL_PORT_IN_USE',
    side: 'internal',
    message: `The control API cannot listen on 127.0.0.1:${port}: another process already listens there.`,
    cause: { code: 'EADDRINUSE' },
  });
});

t.test('an address of another machine is refused (RFC 5737 TEST-NET-1)', async (t) => {
  await t.rejects(startControl(t, { host: '192.0.2.1' }), { code: 'ERR_CONTROL_ADDRESS', message: /192\.0\.2\.1:0/ });
});

const failures: ReadonlyArray<readonly [string, string, string]> = [
  ['EACCES', '0.0.0.0', 'ERR_CONTROL_PORT_DENIED'],
  ['ENOTFOUND', 'control.invalid', 'ERR_CONTROL_ADDRESS'],
  ['EMFILE', '::1', 'ERR_CONTROL_LISTEN'],
];

for (const [system, host, code] of failures) {
  t.test(`${system} becomes ${code}`, async (t) => {
    const server = createServer();
    server.listen = () => {
      process.nextTick(() => server.emit('error', Object.assign(new Error(`listen ${system}`), { code: system })));
      return server;
    };
    const error: unknown = await listen(server, host, 81).catch((reason: unknown) => reason);
    if (!(error instanceof ControlError)) throw new Error('not a ControlError');
    t.equal(error.code, code);
    t.match(error.message, host === '::1' ? '[::1]:81' : `${host}:81`);
  });
}

t.test('the address and the port chosen are reported', async (t) => {
  const server = createServer();
  t.teardown(() => server.close());
  const { address, port } = await listen(server, '127.0.0.1', 0);
  t.equal(address, '127.0.0.1');
  t.ok(port > 0);
});
