import fc from 'fast-check';
import t from 'tap';
import { decodePacket, decodeTnetstring, encodePacket, encodeTnetstring, parseItem } from '../../dist/index.js';
import { MAX_TNET_DEPTH, type TnetValue } from '../../dist/wire/tnetstring.js';
import { messageOf, valueOrGripError } from '../grip-error.js';

const decode = (text: string) => decodeTnetstring(Buffer.from(text, 'latin1'));
const encode = (value: unknown) => encodeTnetstring(value).toString('latin1');

t.test('every type is written as the format says', async (t) => {
  t.equal(encode(null), '0:~');
  t.equal(encode(true), '4:true!');
  t.equal(encode(false), '5:false!');
  t.equal(encode(200), '3:200#');
  t.equal(encode(-1), '2:-1#');
  t.equal(encode(2n ** 63n), '19:9223372036854775808#');
  t.equal(encode(1.5), '3:1.5^');
  t.equal(encode('é'), '2:\xc3\xa9,', 'a string is its UTF-8');
  t.equal(encode(Buffer.from([0, 0xff])), '2:\x00\xff,');
  t.equal(encode(Uint8Array.of(65)), '1:A,');
  t.equal(encode([1, 'a', undefined]), '11:1:1#1:a,0:~]');
  t.equal(encode({ a: 1, b: undefined, c: [] }), '15:1:a,1:1#1:c,0:]}', 'an undefined member is left out');
});

t.test('what has no tnetstring is a fault of the caller', async (t) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, () => 1, Symbol('a'), [Number.NaN]])
    t.throws(() => encodeTnetstring(value), TypeError);
});

t.test('a value is read from its tnetstring', async (t) => {
  const item =
    '141:7:channel,1:c,7:formats,112:11:http-stream,15:7:content,2:x\n,}' +
    '10:ws-message,14:7:content,1:x,}13:http-response,25:4:body,2:x\n,4:code,3:200#}}}';
  t.same(decode(item), {
    channel: Buffer.from('c'),
    formats: {
      'http-stream': { content: Buffer.from('x\n') },
      'ws-message': { content: Buffer.from('x') },
      'http-response': { body: Buffer.from('x\n'), code: 200 },
    },
  });
  t.equal(decode('20:-9223372036854775808#'), -(2n ** 63n), 'an integer beyond 2^53 keeps its value');
  t.equal(decode('6:-1e+20^'), -1e20);
});

t.test('a map has no prototype: no key reaches Object', async (t) => {
  const map = decode('26:9:__proto__,10:1:a,3:yes,}}') as { [key: string]: TnetValue };
  t.equal(Object.getPrototypeOf(map), null);
  t.same(Object.keys(map), ['__proto__']);
  t.equal(({} as Record<string, unknown>).a, undefined);
});

t.test('of a key that stands twice the last value counts', async (t) => {
  t.same(decode('16:1:a,1:1#1:a,1:2#}'), { a: 2 });
});

t.test('what follows the value is ignored', async (t) => {
  t.equal(decode('1:1#trail'), 1);
});

t.test('bytes that are no tnetstring are refused', async (t) => {
  for (const text of [
    '',
    'x',
    ':',
    ':,',
    '1',
    '1:',
    '1:a',
    '2:a,',
    '-1:a,',
    '1:a?',
    '00000000001:a,',
    '99999999999999999999:a,',
    '1:a#',
    '1:-#',
    '20:12345678901234567890#',
    '1:.^',
    '3:inf^',
    '3:NaN^',
    '5:1e999^',
    '1:1!',
    '4:TRUE!',
    '1:x~',
    '1:1]',
    '4:1:a,}',
    '8:1:1#1:a,}',
    '5:3:a,]',
  ])
    t.match(
      messageOf('ERR_GRIP_PACKET', () => decode(text)),
      /^not a tnetstring: /,
      JSON.stringify(text),
    );
});

t.test('lists and maps nest to a limit, and no deeper', async (t) => {
  const nested = (levels: number) => {
    let bytes = Buffer.from('0:]');
    for (let i = 1; i < levels; i++) bytes = Buffer.from(`${bytes.length}:${bytes.toString()}]`);
    return bytes;
  };
  t.ok(decodeTnetstring(nested(MAX_TNET_DEPTH)));
  t.match(
    messageOf('ERR_GRIP_PACKET', () => decodeTnetstring(nested(MAX_TNET_DEPTH + 1))),
    /too deep/,
  );
  t.match(
    messageOf('ERR_GRIP_PACKET', () => decodeTnetstring(nested(5_000))),
    /too deep/,
  );
});

/** Values whose decoded form is themselves. */
const values: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 4, noNullPrototype: false }),
  ),
})).value;

t.test('property: what is encoded is decoded to an equal value', async () => {
  fc.assert(
    fc.property(values, (value) => {
      const again = decodeTnetstring(encodeTnetstring(value));
      if (!equal(value, again)) throw new Error(`${JSON.stringify(String(value))} came back different`);
    }),
  );
});

/** Deep equality in which bytes are compared as bytes and prototypes do not matter. */
function equal(a: unknown, b: unknown): boolean {
  if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return a.equals(b);
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => equal(value, b[i]));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  const [one, other] = [Object.entries(a), b as Record<string, unknown>];
  return one.length === Object.keys(other).length && one.every(([key, value]) => equal(value, other[key]));
}

t.test('property: arbitrary bytes give a value, or an error with its code', async () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      valueOrGripError('ERR_GRIP_PACKET', () => decodeTnetstring(bytes));
    }),
  );
});

t.test('property: a tnetstring with bytes changed or cut gives a value, or an error with its code', async () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 });
  fc.assert(
    fc.property(values, damage, fc.nat(), (value, changes, cut) => {
      const bytes = Buffer.from(encodeTnetstring(value));
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      valueOrGripError('ERR_GRIP_PACKET', () => decodeTnetstring(bytes));
      valueOrGripError('ERR_GRIP_PACKET', () => decodeTnetstring(bytes.subarray(0, cut % (bytes.length + 1))));
    }),
  );
});

const unpack = (text: string) => decodePacket(Buffer.from(text, 'latin1'));

t.test('J is JSON, T a tnetstring, and without a letter it is a tnetstring too', async (t) => {
  t.same(unpack('J{"channel":"c"}'), { channel: 'c' });
  t.same(unpack('T14:7:channel,1:c,}'), { channel: Buffer.from('c') });
  t.same(unpack('14:7:channel,1:c,}'), { channel: Buffer.from('c') });
});

t.test('an item is the same in all three', async (t) => {
  const item = { channel: 'c', id: '1', formats: { 'http-stream': { content: 'é\n' } } };
  const expected = parseItem(item);
  t.same(parseItem(decodePacket(encodePacket(item, 'json'))), expected);
  const packet = encodePacket(item, 'tnetstring');
  t.same(parseItem(decodePacket(packet)), expected);
  t.same(parseItem(decodePacket(packet.subarray(1))), expected);
});

t.test('anything else is refused', async (t) => {
  for (const text of ['', 'J', 'T', 'J1', 'J{', 'J{"a":"\xff"}', '{"channel":"c"}', 'K1:1#'])
    t.match(
      messageOf('ERR_GRIP_PACKET', () => unpack(text)),
      /^not /,
      JSON.stringify(text),
    );
});

t.test('property: arbitrary bytes give a value, or an error with its code', async () => {
  const letters = fc.constantFrom('', 'J', 'T');
  fc.assert(
    fc.property(letters, fc.uint8Array(), (letter, bytes) => {
      valueOrGripError('ERR_GRIP_PACKET', () => decodePacket(Buffer.concat([Buffer.from(letter), bytes])));
    }),
  );
});
