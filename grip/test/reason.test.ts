import t from 'tap';
import { isFinalStatus, reasonPhrase } from '../dist/index.js';

t.test('a code has the phrase of the IANA table', async (t) => {
  t.equal(reasonPhrase(200), 'OK');
  t.equal(reasonPhrase(404), 'Not Found');
  t.equal(reasonPhrase(511), 'Network Authentication Required');
});

t.test('413 and 414 have the wording that Pushpin sends', async (t) => {
  t.equal(reasonPhrase(413), 'Request Entity Too Large');
  t.equal(reasonPhrase(414), 'Request-URI Too Long');
});

t.test('an unknown code has an empty phrase', async (t) => {
  for (const code of [0, 99, 299, 509, 999, -1, Number.NaN]) t.equal(reasonPhrase(code), '');
});

t.test('a final status is from 200 to 999', async (t) => {
  for (const code of [200, 304, 599, 999]) t.ok(isFinalStatus(code), String(code));
  for (const code of [0, 99, 100, 101, 199, 1000, 200.5, Number.NaN]) t.notOk(isFinalStatus(code), String(code));
});
