import t from 'tap';
import { parseHttpDate } from '../../dist/wire/date.js';

const MS = Date.UTC(1994, 10, 6, 8, 49, 37);

t.test('the three forms of RFC 9110 mean the same moment', async (t) => {
  t.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'), MS);
  t.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), MS);
  t.equal(parseHttpDate('Sun Nov  6 08:49:37 1994'), MS);
  t.equal(parseHttpDate('Wed Nov 16 08:49:37 1994'), MS + 10 * 86_400_000);
});

t.test('two digits of a year from 70 on are of the last century', async (t) => {
  t.equal(parseHttpDate('Monday, 30-Nov-26 00:00:00 GMT'), Date.UTC(2026, 10, 30));
  t.equal(parseHttpDate('Sunday, 31-Dec-69 00:00:00 GMT'), Date.UTC(2069, 11, 31));
  t.equal(parseHttpDate('Thursday, 01-Jan-70 00:00:00 GMT'), 0);
});

t.test('every moment of years of four digits is read as it is written', async (t) => {
  for (const ms of [0, MS, Date.UTC(2024, 1, 29, 23, 59, 59), Date.UTC(9999, 11, 31), Date.UTC(1000, 0, 1)])
    t.equal(parseHttpDate(new Date(ms).toUTCString()), ms);
});

t.test('anything else is none', async (t) => {
  for (const text of [
    '',
    '0',
    'tomorrow',
    '1994-11-06T08:49:37Z',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0100',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'sun, 06 nov 1994 08:49:37 gmt',
    'Sun, 06 Nov 1994 08:49 GMT',
    'Sun, 06 Nov 19940 08:49:37 GMT',
    ' Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 31 Nov 1994 08:49:37 GMT',
    'Sun, 29 Feb 1995 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:37 GMT',
    'Sun, 06 Nov 1994 08:49:60 GMT',
    'Sunday, 06-Nov-1994 08:49:37 GMT',
    'Sun Nov 06 08:49:37 1994 GMT',
  ])
    t.equal(parseHttpDate(text), undefined, text);
});
