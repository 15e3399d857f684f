import fc from 'fast-check';
import t from 'tap';
import { formatYamlEntry, parseYaml } from '../../../dist/config/files/yaml-file.js';

t.test('entries have plain values and the lines of their keys', async (t) => {
  t.strictSame(parseYaml('# c\nhttp_port: 7999\nroutes:\n  - "* a:1"\ndebug:\n'), {
    entries: [
      { key: 'http_port', value: 7999, line: 2 },
      { key: 'routes', value: ['* a:1'], line: 3 },
      { key: 'debug', value: null, line: 5 },
    ],
    problems: [],
  });
});

t.test('groups and dots are a way to write the names of keys', async (t) => {
  const entries = [
    { key: 'redis_url', value: 'redis://h', line: 2 },
    { key: 'redis_tls_ca', value: 'ca.pem', line: 4 },
  ];
  t.strictSame(parseYaml('redis:\n  url: redis://h\n  tls:\n    ca: ca.pem\n'), { entries, problems: [] });
  t.strictSame(parseYaml('\nredis.url: redis://h\n\nredis_tls_ca: ca.pem\n'), { entries, problems: [] });
  t.match(parseYaml('redis_url: a\nredis:\n  url: b\n').problems, [{ line: 3, reason: 'redis_url is given twice' }]);
  t.strictSame(parseYaml('redis: {}\n').entries, [{ key: 'redis', value: {}, line: 1 }]);
  t.strictSame(parseYaml('a: &x\n  b: 1\nc: *x\n').entries, [
    { key: 'a_b', value: 1, line: 2 },
    { key: 'c_b', value: 1, line: 2 },
  ]);
});

t.test('JSON is YAML', async (t) => {
  t.strictSame(parseYaml('{"debug": true}').entries, [{ key: 'debug', value: true, line: 1 }]);
});

t.test('an empty file has no entries and no problems', async (t) => {
  for (const text of ['', '# only a comment\n', '---\n']) t.strictSame(parseYaml(text), { entries: [], problems: [] });
});

for (const [what, text, line] of [
  ['a repeated key', 'debug: true\ndebug: false\n', 2],
  ['a list at the top', '- a\n', 1],
  ['broken syntax', 'debug: true\nx: [1\n', 3],
  ['an unknown alias', 'debug: *nobody\n', 1],
  ['an alias that leads in a circle', 'a: &a\n  b: *a\n', 2],
] as const)
  t.test(`${what} is a problem with its line`, async (t) => {
    t.match(parseYaml(text).problems, [{ line }]);
  });

t.test('property: a formatted entry reads back', async (t) => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string()));
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z_]{1,10}$/), value, (key, value) => {
      t.match(parseYaml(formatYamlEntry(key, value)), { entries: [{ key, value }], problems: [] });
    }),
  );
});

t.test('property: any text gives entries or problems', async () => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseYaml(text).entries)));
});
