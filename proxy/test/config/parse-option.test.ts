import fc from 'fast-check';
import t from 'tap';
import type { Option } from '../../dist/config/option.js';
import { formatOption, parseDuration, parseOption, parseSize } from '../../dist/config/parse-option.js';
import { optionByKey, options } from '../../dist/config/table.js';
import {
  formatListen,
  formatSocketListen,
  isLoopback,
  parseListen,
  parseSocketListen,
} from '../../dist/config/types/listen.js';
import {
  formatForwardedFor,
  formatLogLevels,
  logLevels,
  parseForwardedFor,
  parseLogLevels,
} from '../../dist/config/types/values.js';

function option(key: string): Option {
  const found = optionByKey(key);
  if (found === undefined) throw new Error(`no option ${key}`);
  return found;
}

const values: readonly (readonly [key: string, raw: unknown, value: unknown])[] = [
  ['debug', 'true', true],
  ['debug', '0', false],
  ['debug', 1, true],
  ['debug', false, false],
  ['debug', 'yes', undefined],
  ['client_maxconn', '1000', 1000],
  ['client_maxconn', 1000, 1000],
  ['client_maxconn', '10.5', undefined],
  ['client_maxconn', '0', undefined],
  ['client_maxconn', [1], undefined],
  ['push_in_http_port', '-1', -1],
  ['push_in_http_port', 65_536, undefined],
  ['client_keep_alive_timeout', '2m', 120_000],
  ['client_keep_alive_timeout', '1500ms', 1500],
  ['client_keep_alive_timeout', 90, 90_000],
  ['message_rate', 0, Number.POSITIVE_INFINITY],
  ['message_rate', '-1', Number.POSITIVE_INFINITY],
  ['message_rate', 250, 250],
  ['message_rate', -2, undefined],
  ['client_keep_alive_timeout', '2 weeks', undefined],
  ['message_wait', '5s', 5000],
  ['client_queue_size', '64KiB', 65_536],
  ['client_queue_size', '1MB', 1_000_000],
  ['client_queue_size', '2 lots', undefined],
  ['http_port', 7999, [{ host: '0.0.0.0', port: 7999 }]],
  [
    'http_port',
    '127.0.0.1:80, [::]:81,*:82',
    [
      { host: '127.0.0.1', port: 80 },
      { host: '::', port: 81 },
      { host: '0.0.0.0', port: 82 },
    ],
  ],
  [
    'http_port',
    ['1', 2],
    [
      { host: '0.0.0.0', port: 1 },
      { host: '0.0.0.0', port: 2 },
    ],
  ],
  ['http_port', '', []],
  [
    'http_port',
    '127.0.0.1:80?proxy_protocol=v1v2&from=10.0.0.0/8|fd00::1&from=192.0.2.1',
    [
      {
        host: '127.0.0.1',
        port: 80,
        proxyProtocol: { versions: [1, 2], from: ['10.0.0.0/8', 'fd00::1', '192.0.2.1'] },
      },
    ],
  ],
  ['http_port', '80?proxy_protocol=v2', undefined],
  ['http_port', '80?proxy_protocol=v3&from=10.0.0.1', undefined],
  ['http_port', '80?proxy_protocol=toString&from=10.0.0.1', undefined],
  ['http_port', '80?proxy_protocol=v1&proxy_protocol=v2&from=10.0.0.1', undefined],
  ['http_port', '80?proxy_protocol=v2&from=10.0.0.0/33', undefined],
  ['http_port', '80?proxy_protocol=v2&from=balancer.example', undefined],
  ['http_port', '80?proxy_protocol=v2&from=10.0.0.1&mode=660', undefined],
  ['http_port', '80?from=10.0.0.1', undefined],
  ['http_port', '80?proxy_protocol=v2&from=unix', undefined],
  ['http_port', '80?', undefined],
  ['local_ports', '/a?proxy_protocol=v2', [{ path: '/a', proxyProtocol: { versions: [2], from: ['unix'] } }]],
  ['local_ports', '/a?proxy_protocol=2', undefined],
  ['trusted_proxies', '10.0.0.0/8, ::1,unix', ['10.0.0.0/8', '::1', 'unix']],
  ['trusted_proxies', '10.0.0', undefined],
  ['trusted_proxies', 'fe80::1%lo', undefined],
  ['trusted_proxies', 'localhost', undefined],
  ['http_port', '70000', undefined],
  ['http_port', 'eighty', undefined],
  ['http_port', '[zz]:80', undefined],
  ['local_ports', '/run/a?mode=660&user=u&group=g', [{ path: '/run/a', mode: 0o660, user: 'u', group: 'g' }]],
  ['local_ports', '/run/a?mode=999', undefined],
  ['log_level', 2, { level: 'info', parts: {} }],
  ['log_level', '1,proxy:3', { level: 'warn', parts: { proxy: 'debug' } }],
  ['log_level', 'warning', { level: 'warn', parts: {} }],
  ['log_level', 'loud', undefined],
  ['x_forwarded_for', 'truncate:1, append', { truncate: 1, append: true }],
  ['x_forwarded_for', 'append', { append: true }],
  ['x_forwarded_for', '', { append: false }],
  ['x_forwarded_for', 'prepend', undefined],
  ['set_x_forwarded_protocol', true, 'true'],
  ['set_x_forwarded_protocol', 'proto-only', 'proto-only'],
  ['set_x_forwarded_protocol', 'both', undefined],
  ['workers', 'auto', 'auto'],
  ['workers', '4', 4],
  ['workers', 0, undefined],
  ['routes', '* a:1,ssl\nb.test c:2\n', ['* a:1,ssl', 'b.test c:2']],
  ['sig_key', 123, undefined],
];
for (const [key, raw, value] of values)
  t.test(`${key} ${value === undefined ? 'refuses' : 'takes'} ${JSON.stringify(raw)}`, async (t) => {
    const parsed = parseOption(option(key), raw);
    t.strictSame(parsed.ok ? parsed.value : undefined, value);
    if (!parsed.ok) t.match(parsed.why, /^expected /);
  });

t.test('a number out of range is moved into it where that is asked for', async (t) => {
  t.strictSame(parseOption(option('client_buffer_size'), '10', { clamp: true }), {
    ok: true,
    value: 1024,
    clamped: '10 is out of range, using 1024',
  });
});

t.test('a refused secret is not shown', async (t) => {
  const parsed = parseOption(option('sig_key'), 12_345);
  t.notOk(parsed.ok);
  t.notMatch(JSON.stringify(parsed), /12345/);
});

for (const row of options)
  t.test(`the defaults of ${row.key} are values that survive printing`, async (t) => {
    for (const raw of [row.default, row.pushpinDefault]) {
      if (raw === undefined) continue;
      const parsed = parseOption(row, raw);
      t.ok(parsed.ok);
      if (parsed.ok) t.strictSame(parseOption(row, formatOption(row, parsed.value)), parsed);
    }
  });

t.test('only loopback addresses count as loopback', async (t) => {
  for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) t.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '']) t.notOk(isLoopback(host), host);
});

t.test('property: formatting is the inverse of parsing', async (t) => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('localhost'));
  fc.assert(
    fc.property(host, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      t.strictSame(parseListen(formatListen({ host, port })), { host, port });
    }),
  );
  const level = fc.constantFrom(...logLevels);
  fc.assert(
    fc.property(
      level,
      fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), level, { noNullPrototype: true }),
      (level, parts) => {
        t.strictSame(parseLogLevels(formatLogLevels({ level, parts })), { level, parts });
      },
    ),
  );
  const rule = fc.record(
    { truncate: fc.nat(1000), append: fc.boolean() },
    { requiredKeys: ['append'], noNullPrototype: true },
  );
  fc.assert(
    fc.property(rule, (rule) => {
      t.strictSame(parseForwardedFor(formatForwardedFor(rule)), rule);
    }),
  );
  const word = fc.stringMatching(/^[a-z&=?]{1,8}$/);
  const socket = fc.record(
    { path: fc.stringMatching(/^\/[a-z]{1,8}$/), mode: fc.integer({ min: 0, max: 0o7777 }), user: word, group: word },
    { requiredKeys: ['path'], noNullPrototype: true },
  );
  fc.assert(
    fc.property(socket, (socket) => {
      t.strictSame(parseSocketListen(formatSocketListen(socket)), socket);
    }),
  );
});

t.test('property: a number that is taken survives printing', async (t) => {
  const numeric = options.filter(({ type }) => ['duration', 'limit', 'size', 'int'].includes(type));
  fc.assert(
    fc.property(fc.constantFrom(...numeric), fc.integer({ min: -1, max: 10_000_000 }), (row, raw) => {
      const parsed = parseOption(row, raw, { clamp: true });
      t.ok(parsed.ok);
      if (parsed.ok) t.match(parseOption(row, formatOption(row, parsed.value)), { ok: true, value: parsed.value });
    }),
  );
});

t.test('property: any value is taken or refused, never thrown at', async () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...options),
      fc.anything(),
      (row, raw) => typeof parseOption(row, raw).ok === 'boolean',
    ),
  );
  fc.assert(
    fc.property(fc.string(), (any) =>
      [parseDuration(any, 's'), parseSize(any)].every((n) => n === undefined || n >= 0),
    ),
  );
});

t.test('a list that holds itself, as YAML can say it, is refused like any other value', async (t) => {
  const list: unknown[] = [];
  list.push(list);
  t.strictSame(parseOption(option('debug'), list), {
    ok: false,
    why: 'expected true or false, got a value that holds itself',
  });
});
