/** W3C Trace Context. The cases are those of its test suite (w3c/trace-context, test.py), and what its grammar leaves open. */
import fc from 'fast-check';
import t from 'tap';
import {
  formatTraceparent,
  newTraceContext,
  parseTraceparent,
  RANDOM,
  readTraceContext,
  readTracestate,
  SAMPLED,
  STATE_CHARS,
  STATE_ENTRIES,
} from '../../dist/tracing/trace-context.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

for (const [text, flags] of [
  [`00-${TRACE}-${SPAN}-00`, 0],
  [`00-${TRACE}-${SPAN}-01`, SAMPLED],
  [`00-${TRACE}-${SPAN}-03`, SAMPLED | RANDOM],
  [`00-${TRACE}-${SPAN}-fd`, SAMPLED],
  [`01-${TRACE}-${SPAN}-01`, SAMPLED],
  [`cc-${TRACE}-${SPAN}-01`, SAMPLED],
  [`cc-${TRACE}-${SPAN}-01-`, SAMPLED],
  [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, SAMPLED],
] as const) {
  t.test(`continued: ${text}`, async (t) => {
    t.strictSame(parseTraceparent(text), { traceId: TRACE, spanId: SPAN, flags, state: '' });
  });
}

for (const text of [
  '',
  '00',
  `ff-${TRACE}-${SPAN}-01`,
  `0-${TRACE}-${SPAN}-01`,
  `.0-${TRACE}-${SPAN}-01`,
  `0.-${TRACE}-${SPAN}-01`,
  `000-${TRACE}-${SPAN}-01`,
  `0A-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-01.`,
  `cc-${TRACE}-${SPAN}-01.what-the-future-will-not-be-like`,
  `cc-${TRACE}-${SPAN}-011`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN.toUpperCase()}-01`,
  `00-.${TRACE.slice(1)}-${SPAN}-01`,
  `00-${TRACE.slice(1)}-${SPAN}-01`,
  `00-${TRACE}0-${SPAN}-01`,
  `00-${TRACE}-${SPAN.slice(1)}-01`,
  `00-${TRACE}-${SPAN}0-01`,
  `00-${TRACE}-${SPAN}-0`,
  `00-${TRACE}-${SPAN}-.0`,
  `00-${TRACE}-${SPAN}-0A`,
  `00-${TRACE}-${SPAN}-01\n`,
  `\n00-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}`,
  `00_${TRACE}_${SPAN}_01`,
  `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
]) {
  t.test(`a new trace instead of ${JSON.stringify(text)}`, async (t) => {
    t.equal(parseTraceparent(text), undefined);
  });
}

for (const [says, text, read] of [
  ['is passed on', 'foo=1,bar=2', 'foo=1,bar=2'],
  ['loses the space around its entries', ' foo=1 \t, \tbar=2 ', 'foo=1,bar=2'],
  ['loses empty entries', 'foo=1,,bar=2,', 'foo=1,bar=2'],
  ['may have spaces in a value, not behind it', 'foo=a b', 'foo=a b'],
  ['has keys with a tenant', 'tenant@vendor=1,a/b-c*_=x', 'tenant@vendor=1,a/b-c*_=x'],
  ['has keys that begin with a digit', '0foo=1', '0foo=1'],
  ['keeps the first of two entries with one key', 'foo=1,bar=2,foo=3', 'foo=1,bar=2'],
  ['is dropped for = in a value', 'foo=a=b', ''],
  [
    'has entries of the greatest length, up to 512 characters',
    `${'k'.repeat(255)}=${'v'.repeat(256)}`,
    `${'k'.repeat(255)}=${'v'.repeat(256)}`,
  ],
  ['loses an entry of the greatest length', `${'k'.repeat(256)}=${'v'.repeat(256)},a=1`, 'a=1'],
  ['is dropped for a key that is too long', `${'k'.repeat(257)}=1`, ''],
  ['is dropped for a tenant that is too long', `${'t'.repeat(242)}@v=1`, ''],
  ['is dropped for a system that is too long', `t@${'v'.repeat(15)}=1`, ''],
  ['is dropped for a value that is too long', `foo=${'v'.repeat(257)}`, ''],
  ['is dropped for a key in upper case', 'Foo=1', ''],
  ['is dropped for a space in a key', 'foo =1', ''],
  ['is dropped for two systems', 'foo@bar@baz=1', ''],
  ['is dropped for no tenant', '@foo=1', ''],
  ['is dropped for no system', 'foo@=1', ''],
  ['is dropped for no value', 'foo=', ''],
  ['is dropped for no key', '=1', ''],
  ['is dropped for no =', 'foo', ''],
  ['is dropped for a tab in a value', 'foo=a\tb', ''],
  ['is dropped for a character beyond ASCII', 'foo=\u00e9', ''],
] as const) {
  t.test(`a tracestate ${says}`, async (t) => {
    t.equal(readTracestate(text), read);
  });
}

t.test(`a tracestate has ${STATE_ENTRIES} entries at most`, async (t) => {
  const entries = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=1`).join(',');
  t.equal(readTracestate(entries(STATE_ENTRIES)), entries(STATE_ENTRIES));
  t.equal(readTracestate(entries(STATE_ENTRIES + 1)), '');
});

t.test(`of a tracestate of more than ${STATE_CHARS} characters the last entries are left out`, async (t) => {
  const entry = (i: number) => `k${i}=${'v'.repeat(97)}`;
  t.equal(readTracestate([1, 2, 3, 4, 5, 6].map(entry).join(',')), [1, 2, 3, 4, 5].map(entry).join(','));
  const long = `long=${'v'.repeat(150)}`;
  t.equal(
    readTracestate([1, long, 2, 3, 4, 5].map((it) => (typeof it === 'number' ? entry(it) : it)).join(',')),
    [1, 2, 3, 4, 5].map(entry).join(','),
  );
});

t.test('one traceparent counts, and none of two; states count with it only', async (t) => {
  const parent = `00-${TRACE}-${SPAN}-01`;
  t.equal(readTraceContext([parent], [])?.state, '');
  t.equal(readTraceContext([parent], ['a=1', 'b=2'])?.state, 'a=1,b=2');
  t.equal(readTraceContext([parent], ['a=1', 'B=2'])?.state, '');
  t.equal(readTraceContext([parent, parent], ['a=1']), undefined);
  t.equal(readTraceContext([], ['a=1']), undefined);
  t.equal(readTraceContext(['no'], ['a=1']), undefined);
});

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
    .map((digits) => digits.join(''))
    .filter((text) => !/^0+$/.test(text));

t.test('what is formatted is read again, and a new trace is valid', async () => {
  fc.assert(
    fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 3 }), (traceId, spanId, flags) => {
      const context = { traceId, spanId, flags, state: '' };
      const read = parseTraceparent(formatTraceparent(context));
      return JSON.stringify(read) === JSON.stringify(context);
    }),
  );
  for (const isSampled of [true, false]) {
    const context = newTraceContext(isSampled);
    t.strictSame(parseTraceparent(formatTraceparent(context)), context);
    t.equal((context.flags & SAMPLED) !== 0, isSampled);
  }
});

t.test('whatever comes, what is passed on is well-formed, within its bounds, and read as the same again', async () => {
  const piece = fc.oneof(
    fc.constantFrom('a=1', 'b@c=2', ',', ' ', '=', '@', '\t', '\r\n', '"', 'A', '\u00e9', `x=${'y'.repeat(200)}`),
    fc.string({ maxLength: 8 }),
  );
  const text = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, (state) => {
      const read = readTracestate(state);
      return read.length <= STATE_CHARS && /^[\x20-\x7e]*$/.test(read) && readTracestate(read) === read;
    }),
    { numRuns: 2_000 },
  );
  const parent = fc.oneof(
    fc.tuple(fc.string({ maxLength: 3 }), fc.constant(`00-${TRACE}-${SPAN}-01`), fc.string({ maxLength: 3 })),
    fc.tuple(hex(2), hex(32), hex(16)).map(([version, trace, span]) => [version, `-${trace}-${span}`, '-01']),
  );
  fc.assert(
    fc.property(parent, (parts) => {
      const read = parseTraceparent(parts.join(''));
      return read === undefined || /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/.test(formatTraceparent(read));
    }),
    { numRuns: 2_000 },
  );
});
