import fc from 'fast-check';
import t from 'tap';
import { jsonFaultText } from '../../dist/wire/json-fault.js';

const faultOf = (text: string) => jsonFaultText(Buffer.from(text));

t.test('the place where a text stops being JSON is told, with what should be there', async (t) => {
  const table: [string, string][] = [
    ['', 'it is empty'],
    ['{"items":[}', `unexpected '}' where a value should be at line 1, column 11 (byte 10), near "{\\"items\\":[}"`],
    ['{"items":[', 'the text ends too early at line 1, column 11 (byte 10), near "{\\"items\\":["'],
    ['{"a":1,}', `unexpected '}' where a name in double quotes should be at line 1, column 8 (byte 7), near `],
    ["{'a':1}", `unexpected ''' where a name in double quotes should be at line 1, column 2 (byte 1), near `],
    ['{"a" 1}', `unexpected '1' where ':' should be at line 1, column 6 (byte 5), near `],
    ['{"a":1 "b":2}', `unexpected '"' where ',' or '}' should be at line 1, column 8 (byte 7), near `],
    ['[1 2]', `unexpected '2' where ',' or ']' should be at line 1, column 4 (byte 3), near `],
    ['{}\n{}', `unexpected '{' where the end should be at line 2, column 1 (byte 3), near `],
    ['{\n "é": tru}', `unexpected 't' where a value should be at line 2, column 7 (byte 9), near `],
    ['["a\nb"]', `an unescaped "\\n" in a string at line 1, column 4 (byte 3), near `],
    ['["\\x"]', 'an escape that there is not at line 1, column 3 (byte 2), near '],
    ['["abc', 'a string that does not end at line 1, column 2 (byte 1), near "[\\"abc"'],
    ['["abc\\', 'a string that does not end at line 1, column 2 (byte 1), near '],
    ['\ufeff[,]', `unexpected ',' where a value should be at line 1, column 2 (byte 4), near "[,]"`],
  ];
  for (const [text, wanted] of table) t.ok(faultOf(text)?.startsWith(wanted), `${text}: ${faultOf(text)}`);
});

t.test('bytes that are not UTF-8 have a place too', async (t) => {
  const body = Buffer.concat([Buffer.from('["\ufffd", "'), Buffer.from([0xff]), Buffer.from('"]')]);
  t.match(jsonFaultText(body), /^bytes that are not UTF-8 at line 1, column 8 \(byte 9\), near /);
});

t.test('an excerpt is short, and shows no control characters', async (t) => {
  const text = faultOf(`["${'\u0001'.repeat(100_000)}`) ?? '';
  t.ok(text.length < 500, `${text.length}`);
  t.notMatch(text, /\p{Cc}/u);
});

t.test('a text has a fault exactly where JSON.parse refuses it', async () => {
  const broken = fc.tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom('', ',', '"', '\\', '}', ']', '1', '-', '.', 'e', ' ', 'null'),
  );
  fc.assert(
    fc.property(broken, fc.boolean(), ([json, at, piece], cut) => {
      const i = at % (json.length + 1);
      const text = json.slice(0, i) + piece + json.slice(cut ? i + 1 : i);
      let isJson = true;
      try {
        JSON.parse(Buffer.from(text).toString());
      } catch {
        isJson = false;
      }
      if ((faultOf(text) === undefined) !== isJson) throw new Error(`${isJson}: ${faultOf(text)}`);
    }),
    { numRuns: 3_000 },
  );
});

t.test('texts of any shape and a megabyte are looked through at once', async (t) => {
  const many = 1_000_000;
  for (const piece of ['[', '{"a":', ' ', '"a', '\\u0041', '1', '-', '"', '[[],', '\n', '\ufffd']) {
    const began = process.hrtime.bigint();
    t.type(faultOf(piece.repeat(many / piece.length).concat('[')), 'string');
    t.type(faultOf(`"${piece.repeat(many / piece.length)}`), 'string');
    t.ok(process.hrtime.bigint() - began < 5_000_000_000n, piece);
  }
});
