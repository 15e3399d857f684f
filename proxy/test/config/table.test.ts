import t from 'tap';
import { renderConfigDocs } from '../../dist/app/config-docs.js';
import { parseCommandLine } from '../../dist/config/command-line.js';
import { envName, flagName } from '../../dist/config/option.js';
import { nearestKey, optionByKey, optionByPushpinKey, options } from '../../dist/config/table.js';
import { uwsLimits } from '../edge/uws-limits.js';

t.test('no two options share a key, a flag, a variable or a Pushpin key', async (t) => {
  const names = options.flatMap((option) => [
    option.key,
    envName(option),
    flagName(option),
    ...(option.flags ?? []),
    ...(option.pushpin ?? []),
  ]);
  t.strictSame(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});

t.test('every secret has a companion for a file', async (t) => {
  for (const { key, type } of options) if (type === 'secret') t.equal(optionByKey(`${key}_file`)?.secretFor, key);
});

t.test('every duration has a unit, every enum its words, and every doc is a sentence', async (t) => {
  for (const { key, type, unit, values, doc } of options) {
    if (type === 'duration') t.ok(unit === 's' || unit === 'ms', key);
    if (type === 'enum') t.ok((values ?? []).length > 1, key);
    t.match(doc, /^[A-Z0-9`].*\.$/s, key);
  }
});

t.test('look-ups: by key, by Pushpin key, by likeness', async (t) => {
  t.equal(optionByKey('http_port')?.type, 'ports');
  t.equal(optionByPushpinKey('runner.http_port')?.key, 'http_port');
  t.equal(optionByPushpinKey('holdfast.edge')?.key, 'edge');
  t.equal(optionByPushpinKey('proxy.http_port'), undefined);
  t.equal(nearestKey('htp_ports'), 'http_port');
});

t.test('docs/config.md has every option that is not hidden, with its default and its Pushpin key', async (t) => {
  const page = renderConfigDocs();
  for (const option of options) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${option.key}\` |`));
    t.equal(row !== undefined, option.hidden !== true, option.key);
    if (row === undefined) continue;
    if (option.default !== undefined && option.default !== '') t.ok(row.includes(`\`${option.default}\``), option.key);
    for (const name of option.pushpin ?? []) t.ok(row.includes(name), name);
    t.equal(row.replaceAll('\\|', '').split('|').length, 7, `${option.key} has five cells`);
  }
});

t.test('what is different with the uws edge is said in --help and docs/config.md', async (t) => {
  const ignored = options.filter(({ uws }) => uws?.effect === 'ignored');
  t.ok(ignored.length > 0);
  const page = renderConfigDocs();
  for (const { key, uws } of options) {
    if (uws === undefined) continue;
    t.notMatch(uws.doc, /^[A-Z]|\.$/, `${key}: a clause`);
    const start = uws.effect === 'ignored' ? 'No effect with `edge: uws`, where' : 'With `edge: uws`';
    const row = page.split('\n').find((line) => line.startsWith(`| \`${key}\` |`));
    t.ok(row?.endsWith(` ${start} ${uws.doc}. |`), key);
  }
  const help = parseCommandLine(['--help'], { cwd: '/', version: '0' });
  const text = 'text' in help ? help.text.replace(/\s+/g, ' ') : '';
  t.equal(text.split('No effect with edge: uws, where').length - 1, ignored.length);
});

t.test('every option without effect on the uws edge is in its table of limits', async (t) => {
  const limits = uwsLimits.map(({ why }) => why).join('\n');
  for (const { key, uws } of options) if (uws?.effect === 'ignored') t.ok(limits.includes(`\`${key}\``), key);
});
