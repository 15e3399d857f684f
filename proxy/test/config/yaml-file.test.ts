import fc from 'fast-check';
import t from 'tap';
import { formatYamlEntry, parseYaml } from '../../dist/config/yaml-file.js';

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
