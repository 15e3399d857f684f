import fc from 'fast-check';
import t from 'tap';
import { growth, LINEAR_MAX } from '../../../grip/dist-test/growth.js';
import { clientHeaders } from '../../dist/edge/client-headers.js';

const HOP = [
  'Connection',
  'Keep-Alive',
  'Proxy-Connection',
  'Transfer-Encoding',
  'Content-Length',
  'Trailer',
  'Upgrade',
];

for (const name of HOP) {
  t.test(`${name} is left out, in any case`, async (t) => {
    for (const form of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.strictSame(clientHeaders(['A', '1', form, 'close', 'B', '2']), ['A', '1', 'B', '2'], form);
    }
  });
}

t.test('names that merely resemble those are kept', async (t) => {
  const headers = [
    'Connections',
    '1',
    'TE',
    '2',
    'Content-Encoding',
    '3',
    'X-Trailer',
    '4',
    'Upgraded',
    '5',
    'Traller',
    '6',
  ];
  t.strictSame(clientHeaders(headers), headers);
});

t.test('fields that Connection names are left out, those that speak of message and body are not', async (t) => {
  const headers = [
    'Hop-A',
    '1',
    'Connection',
    'hop-a, Set-Cookie, content-type, x-b',
    'Set-Cookie',
    'c',
    'Content-Type',
    'd',
  ];
  t.strictSame(clientHeaders([...headers, 'X-B', 'e', 'HOP-A', '2']), [
    'Set-Cookie',
    'c',
    'Content-Type',
    'd',
    'X-B',
    'e',
  ]);
});

t.test('everything else keeps order, case, duplicates and values, in a new list', async (t) => {
  const name = fc
    .string({ minLength: 1, maxLength: 18 })
    .filter((text) => !HOP.some((hop) => hop.toLowerCase() === text.toLowerCase()));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string())), fc.array(fc.constantFrom(...HOP)), (pairs, hops) => {
      const kept = pairs.flat();
      const mixed = [...hops.flatMap((hop) => [hop, 'close']), ...kept];
      const result = clientHeaders(mixed);
      return result !== mixed && JSON.stringify(result) === JSON.stringify(kept);
    }),
  );
  t.pass();
});

t.test('the work grows no faster than the head: Connection may name as many fields as there are', async (t) => {
  const ratio = await growth(1_000, (size) => {
    const names = Array.from({ length: size }, (_, i) => `f${i}`);
    const headers = ['Connection', names.join(','), ...names.flatMap((name) => [`${name}x`, ''])];
    return () => t.equal(clientHeaders(headers).length, 2 * size);
  });
  t.ok(ratio < LINEAR_MAX, `${ratio}`);
});
