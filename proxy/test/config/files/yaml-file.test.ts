import fc from 'fast-check';
import t from 'tap';
import { formatYamlEntry, parseYaml, parseYamlList } from '../../../dist/config/files/yaml-file.js';

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

const plainList = (text: string) => {
  const { entries, problems } = parseYamlList(text);
  return problems.length > 0
    ? problems.map(({ line, reason }) => `${line}: ${reason}`)
    : entries.map(({ line, members }) => ({
        line,
        ...Object.fromEntries([...members].map(([name, { value, line }]) => [name, [value, line]])),
      }));
};

t.test('a list has entries, each member with its line', async (t) => {
  t.strictSame(plainList('# c\n- id: a\n  rate: 7\n  channels:\n    - "*"\n\n- {id: b}\n'), [
    { line: 2, id: ['a', 2], rate: [7, 3], channels: [['*'], 4] },
    { line: 7, id: ['b', 7] },
  ]);
  for (const empty of ['', '\n', '# only a comment\n', 'null\n', '[]\n']) t.strictSame(plainList(empty), [], empty);
  t.strictSame(plainList('[{"id":"a","key":null}]'), [{ line: 1, id: ['a', 1], key: [null, 1] }]);
});

t.test('what is wrong with a list names the line and quotes nothing', async (t) => {
  for (const [text, problem] of [
    ['id: SECRET\n', '1: expected a list: `- id: …` for each entry'],
    ['- SECRET\n', '1: entry 1: expected `name: value` lines'],
    ['- id: a\n- - SECRET\n', '2: entry 2: expected `name: value` lines'],
    ['- id: a\n  key: x\n  key: SECRET\n', '3: entry 1: key is given twice'],
    ['- id: a\n  ? [SECRET]\n  : x\n', '2: entry 1: the name of a member is no text'],
    ['- id: a\n  key: *SECRET\n', '2: entry 1: key: a text that begins with * or & has to be in quotes'],
    ['- id: a\n  key: &SECRET x\n', '2: entry 1: key: a text that begins with * or & has to be in quotes'],
    ['- id: a\n  channels: [a, *SECRET]\n', '2: entry 1: channels: a text that begins with * or & has to be in quotes'],
    ['- id: a\n  key: {x: *SECRET}\n', '2: entry 1: key: a text that begins with * or & has to be in quotes'],
    ['- id: a\n  key: !SECRET x\n', '2: it is not valid YAML (TAG_RESOLVE_FAILED)'],
    ['- id: a\n  key: "SECRET\n', '3: it is not valid YAML (MISSING_CHAR)'],
    ['- id: a\n  key: @SECRET\n', '2: it is not valid YAML (BAD_SCALAR_START)'],
    ['- id: a\n---\n- id: SECRET\n', '2: it is not valid YAML (MULTIPLE_DOCS)'],
    [`- id: ${'['.repeat(10_000)}`, '1: nested too deeply'],
  ] as const)
    t.strictSame(plainList(text), [problem], text.slice(0, 40));
});

t.test('no text makes the list parser throw', async () => {
  const pieces = fc.constantFrom(
    '- ',
    'id',
    ': ',
    '\n',
    '  ',
    '*a',
    '&a ',
    '!x ',
    '[',
    ']',
    '{',
    '}',
    '"',
    '|',
    '#',
    '---\n',
    ',',
    '<<',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      plainList(parts.join(''));
    }),
    { numRuns: 3_000 },
  );
});
