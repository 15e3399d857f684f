import t from 'tap';
import { parseInstructHeaders, parseInstructJson, unknownGripFields } from '../../dist/index.js';
import { MAX_EXPIRES } from '../../dist/instruct/expires.js';

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';
const MS = Date.UTC(1994, 10, 6, 8, 49, 37);

/** The expiry that the header form with these fields gives. */
const byHeader = (...fields: string[]) =>
  parseInstructHeaders({ status: 200, reason: 'OK', headers: ['Grip-Hold', 'stream', ...fields] }).hold?.expires;

/** The expiry of a document whose hold has these members, beside these fields. */
const byJson = (members: object, ...fields: string[]) => {
  const head = { status: 200, reason: 'OK', headers: ['Content-Type', 'application/grip-instruct', ...fields] };
  return parseInstructJson(head, Buffer.from(JSON.stringify({ hold: { channels: [], ...members } })));
};

t.test('seconds or an HTTP date, in the header and in JSON', async (t) => {
  t.equal(byHeader(), undefined);
  t.equal(byJson({}).hold?.expires, undefined);
  for (const [text, expires] of [
    ['0', { seconds: 0 }],
    ['-0', { seconds: 0 }],
    [' 300 ', { seconds: 300 }],
    [`${MAX_EXPIRES}`, { seconds: MAX_EXPIRES }],
    [DATE, { date: MS }],
    [` ${DATE} `, { date: MS }],
    ['Fri, 31 Dec 9999 23:59:59 GMT', { date: Date.UTC(9999, 11, 31, 23, 59, 59) }],
  ] as const) {
    t.strictSame(byHeader('Grip-Expires', text), expires, text);
    t.strictSame(byJson({ expires: text }).hold?.expires, expires, text);
  }
  t.strictSame(byJson({ expires: 300 }).hold?.expires, { seconds: 300 });
  t.strictSame(byJson({ expires: 1.6 }).hold?.expires, { seconds: 2 }, 'rounded as every number is');
});

t.test('the first field counts; the document comes before the header', async (t) => {
  t.strictSame(byHeader('Grip-Expires', '1', 'grip-expires', 'x'), { seconds: 1 });
  t.strictSame(byJson({ expires: 5 }, 'Grip-Expires', DATE).hold?.expires, { seconds: 5 });
  t.strictSame(byJson({}, 'Grip-Expires', DATE).hold?.expires, { date: MS });
});

t.test('without a hold nothing expires; the field and the member are known', async (t) => {
  const instruct = parseInstructHeaders({ status: 200, reason: 'OK', headers: ['Grip-Expires', '5'] });
  t.equal(instruct.hold, undefined);
  t.strictSame(unknownGripFields(['Grip-Expires', '5']), []);
  t.equal(byJson({ expires: 5 }).unknown, undefined);
});

t.test('what is neither is an error of the origin; so is a time since 1970', async (t) => {
  const range = `must be from 0 to ${MAX_EXPIRES}`;
  for (const [text, message] of [
    ['', 'failed to parse Grip-Expires'],
    ['soon', 'failed to parse Grip-Expires'],
    ['1.5', 'failed to parse Grip-Expires'],
    ['99999999999', 'failed to parse Grip-Expires'],
    ['1994-11-06T08:49:37Z', 'failed to parse Grip-Expires'],
    ['-1', `Grip-Expires has invalid value: ${range}`],
    [`${MAX_EXPIRES + 1}`, `Grip-Expires has invalid value: ${range}`],
    ['1764512345', `Grip-Expires has invalid value: ${range}`],
  ] as const)
    t.throws(() => byHeader('Grip-Expires', text), { code: 'ERR_GRIP_INSTRUCT', message }, text);
  const type = "hold contains 'expires' with wrong type: expected a whole number or an HTTP date, got";
  for (const [value, message] of [
    [null, `${type} null`],
    [true, `${type} true`],
    [[5], `${type} a list`],
    ['', `${type} a string`],
    ['soon', `${type} a string`],
    [-1, `hold contains 'expires' with invalid value: ${range}`],
    ['-1', `hold contains 'expires' with invalid value: ${range}`],
    [1_764_512_345, `hold contains 'expires' with invalid value: ${range}`],
  ] as const)
    t.throws(() => byJson({ expires: value }), { code: 'ERR_GRIP_INSTRUCT', message }, JSON.stringify(value));
  t.throws(() => byJson({ expires: 5 }, 'Grip-Expires', 'x'), { code: 'ERR_GRIP_INSTRUCT' }, 'a wrong header counts');
});
