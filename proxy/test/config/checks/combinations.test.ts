/** Which listeners cannot be open at the same time. */
import t from 'tap';
import { listenOfSpec, portConflicts } from '../../../dist/config/checks/combinations.js';

const conflict = (one: string, other: string, port = 80) =>
  portConflicts([
    { option: 'http_port', host: one, port },
    { option: 'admin_port', host: other, port },
  ]).length > 0;

for (const [one, other, expected] of [
  ['127.0.0.1', '127.0.0.1', true],
  ['0.0.0.0', '127.0.0.1', true],
  ['127.0.0.1', '0.0.0.0', true],
  ['::', '127.0.0.1', true],
  ['::', '0.0.0.0', true],
  ['localhost', 'LOCALHOST', true],
  ['127.0.0.1', '127.0.0.2', false],
  ['127.0.0.1', '::1', false],
  ['0.0.0.0', '::1', false],
] as const) {
  t.test(`${one} and ${other} ${expected ? 'want the same port' : 'are apart'}`, async (t) => {
    t.equal(conflict(one, other), expected);
  });
}

t.test('port 0 is any free one, and a port that is not there none', async (t) => {
  t.notOk(conflict('127.0.0.1', '127.0.0.1', 0));
  t.notOk(conflict('127.0.0.1', '127.0.0.1', -1));
});

t.test('a ZeroMQ spec of TCP has a port', async (t) => {
  t.strictSame(listenOfSpec('tcp://*:5560'), { host: '0.0.0.0', port: 5560 });
  t.strictSame(listenOfSpec('tcp://[::1]:5560'), { host: '::1', port: 5560 });
  t.equal(listenOfSpec('ipc:///run/a'), undefined);
});
