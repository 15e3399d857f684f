import t from 'tap';
import { parseInteger } from '../../dist/wire/integer.js';

t.test('an integer has digits, perhaps a sign, perhaps space around it, and fits 32 bits', async (t) => {
  const cases: [string, number | undefined][] = [
    ['0', 0],
    ['55', 55],
    ['007', 7],
    ['+5', 5],
    ['-5', -5],
    [' 5\t', 5],
    ['2147483647', 2147483647],
    ['2147483648', undefined],
    ['99999999999999999999999', undefined],
    ['', undefined],
    [' ', undefined],
    ['5s', undefined],
    ['5.0', undefined],
    ['5 5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['--5', undefined],
    ['Infinity', undefined],
  ];
  for (const [text, value] of cases) t.equal(parseInteger(text), value, JSON.stringify(text));
});
