import t from 'tap';
import { isFinalStatus, isInterimStatus, reasonPhrase, sendableReason } from '../../dist/index.js';

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

t.test('interim statuses are 100 to 199 but 101, which ends HTTP on its connection', async (t) => {
  for (const code of [100, 102, 103, 199]) t.ok(isInterimStatus(code), `${code}`);
  for (const code of [0, 42, 99, 101, 200, 100.5, Number.NaN, -100]) t.notOk(isInterimStatus(code), `${code}`);
});

t.test('a reason that cannot be sent is the default one in its place', async (t) => {
  t.equal(sendableReason(404, 'Trouv\u00e9'), 'Trouv\u00e9');
  t.equal(sendableReason(404, ''), '');
  for (const reason of ['a\r\nb', '\u0001', '\u007f', '\u010d\u010a', '\ufffd', 'x'.repeat(2_000)]) {
    t.equal(sendableReason(404, reason), 'Not Found', JSON.stringify(reason.slice(0, 10)));
    t.equal(sendableReason(299, reason), '');
  }
});
