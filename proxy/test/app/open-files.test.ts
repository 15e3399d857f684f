/** Whether the start says that there may be fewer open files than clients. */
import t from 'tap';
import { openFilesNotice } from '../../dist/app/open-files.js';
import type { Config } from '../../dist/config/config.js';
import { Descriptors } from '../../dist/runtime/descriptors.js';

const listen = { host: undefined, port: 1 };
const configOf = (clientMaxconn: number, listeners = 1) =>
  ({
    clientMaxconn,
    edge: 'node',
    httpPort: Array(listeners).fill(listen),
    httpsPorts: [],
    localPorts: [],
  }) as unknown as Config;
const reserve = (limit: number) => new Descriptors(limit, () => ({ open: 0, isSlow: false })).reserve;

t.test('nothing is said where there is room for all clients, or the limit is not known', async (t) => {
  t.equal(openFilesNotice(configOf(1_000), 1, 1_000 + reserve(1_200)), undefined);
  t.equal(openFilesNotice(configOf(50_000), 1, 1_048_576), undefined);
  t.equal(openFilesNotice(configOf(50_000), 1, Number.POSITIVE_INFINITY), undefined);
});

t.test('both numbers, and what to set: that is then enough, and one less is not', async (t) => {
  for (const [clients, listeners, processes, limit] of [
    [1_000, 1, 1, 1_024],
    [60_000, 2, 1, 20_000],
    [1_000, 3, 4, 256],
    [5, 1, 1, 4],
  ] as const) {
    const config = configOf(clients, listeners);
    const notice = openFilesNotice(config, processes, limit);
    if (notice === undefined) throw new Error('no notice');
    const { level, message, fields } = notice;
    t.equal(level, 'warn');
    const needed = fields.needed as number;
    t.match(message, new RegExp(` may have ${limit}, but ${needed} are needed .*client_maxconn \\(${clients}\\)`));
    t.equal(openFilesNotice(config, processes, needed), undefined, `${needed} are enough`);
    t.ok(openFilesNotice(config, processes, needed - 1), 'one less is not');
    const fitting = Number(/or client_maxconn to (\d+);/.exec(message)?.[1]);
    if (limit > 16)
      t.equal(openFilesNotice(configOf(fitting, listeners), processes, limit), undefined, `${fitting} fit`);
  }
});

t.test('the default is no choice of the operator: at info', async (t) => {
  t.match(openFilesNotice(configOf(50_000), 1, 1_024), { level: 'info', fields: { limit: 1_024, needed: 51_280 } });
});
