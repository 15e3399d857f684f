import t from 'tap';
import { freePorts, nodeReusesPorts } from '../../dist/edge/listening.js';

t.test('node shares ports by itself from 22.12 and 23.1 on, on Linux', (t) => {
  const versions = {
    '20.20.2': false,
    '22.11.0': false,
    '22.12.0': true,
    '23.0.0': false,
    '23.1.0': true,
    '24.0.0': true,
  };
  for (const [version, expected] of Object.entries(versions)) {
    t.equal(nodeReusesPorts(version, 'linux'), expected, version);
    t.equal(nodeReusesPorts(version, 'darwin'), false);
  }
  t.end();
});

t.test('ports are chosen together: two listeners cannot have the same one', async (t) => {
  const host = '127.0.0.1';
  const [one = 0, two = 0] = await freePorts([
    { host, port: 0 },
    { host, port: 0 },
  ]);
  t.not(one, two);
  t.strictSame(await freePorts([{ host, port: one }]), [one], 'it was let go');
  const twice = freePorts([
    { host, port: one },
    { host, port: one },
  ]);
  await t.rejects(twice, { code: 'ERR_EDGE_PORT_IN_USE', message: `cannot listen on ${host}:${one}: it is in use` });
  t.strictSame(await freePorts([{ host, port: one }]), [one], 'it was let go after the failure too');
});
