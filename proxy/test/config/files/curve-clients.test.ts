/** The file of clients of ZeroMQ with CURVE: its lines, and reading it again. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isCurveKey, makeCurveKeyPair } from '@holdfast/control-api';
import fc from 'fast-check';
import t from 'tap';
import { CurveClients, readCurveClients } from '../../../dist/config/files/curve-clients.js';

const [one, two] = [makeCurveKeyPair().publicKey, makeCurveKeyPair().publicKey];
/** The sign that begins a comment is a digit of keys, but never the first: the number would be too large. */
const hash = `#${one.slice(1)}`;

t.test('a key on each line, with a name behind it or without; comments and empty lines', async (t) => {
  const text = `# those of the shop\r\n${one}   billing, on web1 \n\n   \n#\n#\tx\n  ${two}\n`;
  t.strictSame(
    [...readCurveClients(text)],
    [
      [one, 'billing, on web1'],
      [two, two],
    ],
  );
  t.strictSame([...readCurveClients('')], []);
  t.notOk(isCurveKey(hash));
  t.strictSame([...readCurveClients(`${hash}\n`)], []);
});

t.test('what is not a key is refused by its line, and not shown', async (t) => {
  for (const line of ['billing', one.slice(0, -1), `${one}x`, `${one},${two}`, `${one} a\u0007b`]) {
    const message = /^line 2 is not a key, or a key and a name$/;
    t.throws(() => readCurveClients(`${two}\n${line}\n`), { message }, line);
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        for (const [key, name] of readCurveClients(text)) return key.length === 40 && name.length <= 100;
      } catch (error) {
        return (error as Error).message.startsWith('line ') && (error as Error).message.length < 60;
      }
      return true;
    }),
  );
});

t.test('the file is read again when it changes; a bad one changes nothing, and is reported once', async (t) => {
  const file = join(t.testdir({ keys: `${one} billing\n` }), 'keys');
  const faults: string[] = [];
  const clients = new CurveClients([two], file, (error) => faults.push(error.message));
  const put = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  t.strictSame([clients.nameOf(one), clients.nameOf(two), clients.nameOf(hash)], ['billing', two, undefined]);
  put('no key\n');
  t.strictSame([clients.nameOf(one), clients.nameOf(one)], ['billing', 'billing']);
  t.match(faults, [/^zmq_curve_client_keys_file: .*keys: line 1 is not a key/]);
  put(`${two} other\n`);
  t.strictSame([clients.nameOf(one), clients.nameOf(two)], [undefined, 'other']);
  rmSync(file);
  t.equal(clients.nameOf(two), 'other');
  t.match(faults, [/line 1/, /ENOENT/]);
});

t.test('a file that cannot be used at the start', async (t) => {
  for (const [name, why] of [
    ['none', /ENOENT/],
    ['bad', /line 1 is not a key/],
    ['large', /larger than/],
  ] as const) {
    const directory = t.testdir({ bad: 'x', large: `${one}\n`.repeat(30_000) });
    t.throws(() => new CurveClients([], join(directory, name), () => {}), { code: 'ERR_CONFIG_FILE', message: why });
  }
});
