/** Keys from the files of a configuration, with what is wrong with them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type KeysConfig, readKeys } from '../../../dist/config/files/keys-file.js';

const KEY = 'a-key-of-the-test-0123456789';

/** What is read of these files, with the directory as `.`. */
function read(t: Test, files: Readonly<Record<string, string>>, config: Partial<KeysConfig> = {}) {
  const directory = t.testdir({});
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  const at = (name: string) => join(directory, name);
  const {
    table,
    problems,
    warnings,
    files: named,
    hasOpenEnd,
  } = readKeys({
    controlKeysFile: 'keys.yaml' in files || config.controlKeysFile !== undefined ? at('keys.yaml') : undefined,
    controlKeyFile: 'one.key' in files ? at('one.key') : undefined,
    controlKey: 'one.key' in files ? files['one.key'] : undefined,
    ...config,
  });
  const here = (text: string) => text.replaceAll(directory, '.');
  return {
    ids: table.keys.map(({ id }) => id),
    problems: problems.map(({ message }) => here(message)),
    warnings: warnings.map(here),
    files: named.map(here),
    hasOpenEnd,
  };
}

t.test('entries, and the one key', async (t) => {
  const files = {
    'keys.yaml': `- id: a\n  key: ${KEY}\n- {id: b, key_file: b.key, iss: b}\n- {id: c, jwks: 'https://idp/', jwks_ca: ca.crt, iss: c, aud: x}\n`,
    'b.key': `${KEY}b\n`,
    'ca.crt': '-----BEGIN CERTIFICATE-----\n',
    'one.key': `${KEY}1\n`,
  };
  t.strictSame(read(t, files), {
    ids: ['a', 'b', 'c', 'control'],
    problems: [],
    warnings: [],
    files: ['./keys.yaml', './b.key', './one.key'],
    hasOpenEnd: false,
  });
});

t.test('what is wrong names the file, the line and the entry', async (t) => {
  for (const [files, problem] of [
    [
      { 'keys.yaml': '- id: a\n  key: x\n  rate: no\n' },
      './keys.yaml:3: entry 1 (a): rate: expected a whole number from 1',
    ],
    [{ 'keys.yaml': '- id: a\n  key_file: gone\n' }, './keys.yaml:2: entry 1 (a): key_file: cannot read gone: ENOENT'],
    [{ 'keys.yaml': '- id: a\n  key_file: .\n' }, './keys.yaml:2: entry 1 (a): key_file: cannot read .: EISDIR'],
    [
      { 'keys.yaml': '- id: a\n  key_file: big\n', big: 'x'.repeat(65_537) },
      'cannot read big: larger than 65536 bytes',
    ],
    [{ 'keys.yaml': '- id: a\n  key: "x\n' }, './keys.yaml:3: it is not valid YAML (MISSING_CHAR)'],
    [{ 'keys.yaml': '# none\n' }, './keys.yaml: it has no keys'],
    [
      { 'keys.yaml': `- {id: control, key: ${KEY}}\n`, 'one.key': `${KEY}1` },
      './keys.yaml: an entry has the id control',
    ],
    [{ 'one.key': '\n' }, './one.key is empty'],
    [{ 'one.key': 'two\nlines\n' }, './one.key: control_key: expected at most 4096 visible ASCII'],
  ] as const) {
    const { problems } = read(t, files);
    t.match(problems, [problem], problem);
  }
  t.match(read(t, {}, { controlKeysFile: '/nowhere/keys.yaml' }).problems, [
    'cannot read control_keys_file /nowhere/keys.yaml: ENOENT',
  ]);
  t.match(read(t, {}, { controlKey: 'file:x' }).problems, ['control_key: a path is given as control_key_file']);
});

t.test('a last line without its end is seen', async (t) => {
  t.equal(read(t, { 'keys.yaml': `- {id: a, key: ${KEY}}` }).hasOpenEnd, true);
});
