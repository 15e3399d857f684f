import fc from 'fast-check';
import t from 'tap';
import { isServerName, MAX_SERVER_NAME } from '../../dist/edge/tls-certificates.js';

const label63 = 'a'.repeat(63);

t.test('host names are server names', async (t) => {
  const longest = `${label63}.${label63}.${label63}.${'a'.repeat(MAX_SERVER_NAME - 192)}`;
  t.equal(longest.length, MAX_SERVER_NAME);
  for (const name of ['a', 'localhost', 'a.example', 'x-1.a.example', '1.2.3.4', 'xn--bcher-kva.example', longest])
    t.ok(isServerName(name), name);
  t.notOk(isServerName(`${longest}a`), 'one character more');
});

t.test('whatever else a client sends is none', async (t) => {
  const names = [
    ...['', '.', '..', 'a.', '.a', 'a..b', '-a', 'a-', 'a-.b', '_.example', 'default_443', 'A.example', 'a b'],
    ...[
      'a/b',
      '../a',
      '/etc/passwd',
      'a\0',
      'a\0.example',
      'a\n',
      '\u00e9.example',
      '*',
      '*.example',
      '[::1]',
      'a:443',
      '%2e%2e',
    ],
    ...['a'.repeat(64), 'a'.repeat(255), `${'a.'.repeat(130)}a`, 'a'.repeat(70_000)],
  ];
  for (const name of names) t.notOk(isServerName(name), JSON.stringify(name.slice(0, 80)));
});

t.test('a server name has nothing that a path could trip over', async () => {
  const pieces = fc.constantFrom('a', '-', '.', '..', '/', '\0', '_', 'A', '\u00e9', 'x'.repeat(63), ' ', '%2f');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const name = parts.join('');
      return !isServerName(name) || (/^[a-z0-9.-]{1,253}$/.test(name) && !name.includes('..') && !name.startsWith('.'));
    }),
  );
});
