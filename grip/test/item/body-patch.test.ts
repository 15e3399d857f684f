import fc from 'fast-check';
import t from 'tap';
import {
  applyBodyPatch,
  decodeTnetstring,
  encodeTnetstring,
  itemToJson,
  MAX_JSON_DEPTH,
  parseItem,
} from '../../dist/index.js';
import { MAX_PATCH_COPIES, MAX_PATCH_LENGTH, MAX_PATCH_OPERATIONS } from '../../dist/item/body-patch.js';
import { messageOf } from '../grip-error.js';

const itemOf = (patch: unknown) => ({ channel: 'a', formats: { 'http-response': { 'body-patch': patch } } });
const refusal = (patch: unknown) => messageOf('ERR_GRIP_ITEM', () => parseItem(itemOf(patch)));

const refused: readonly (readonly [unknown, string])[] = [
  [5, 'is not an object'],
  [[], 'is not an object'],
  [{}, "does not contain 'op'"],
  [{ op: 1, path: '' }, "does not contain 'op'"],
  [{ op: 'toString', path: '' }, "contains 'op' with unknown value"],
  [{ op: 'add', value: 1 }, "does not contain 'path'"],
  [{ op: 'add', path: 'a', value: 1 }, "contains 'path' that is not a JSON pointer"],
  [{ op: 'add', path: '/~2', value: 1 }, "contains 'path' that is not a JSON pointer"],
  [{ op: 'add', path: '/~', value: 1 }, "contains 'path' that is not a JSON pointer"],
  [{ op: 'remove', path: '/a'.repeat(257) }, "contains 'path' of more than 256 levels"],
  [{ op: 'add', path: '/a' }, "does not contain 'value'"],
  [{ op: 'test', path: '/a' }, "does not contain 'value'"],
  [{ op: 'copy', path: '/a' }, "does not contain 'from'"],
  [{ op: 'move', path: '/a', from: 'b' }, "contains 'from' that is not a JSON pointer"],
];

for (const [operation, fault] of refused) {
  t.test(`refuses ${JSON.stringify(operation).slice(0, 60)}: ${fault}`, async (t) => {
    const good = { op: 'remove', path: '/a' };
    t.equal(refusal([good, operation]), `'body-patch' operation 1 ${fault}`);
  });
}

t.test('refuses a patch of too many operations, too long a one, and one that nests too deep', async (t) => {
  const remove = { op: 'remove', path: '/a' };
  t.ok(parseItem(itemOf(Array.from({ length: MAX_PATCH_OPERATIONS }, () => remove))));
  t.equal(
    refusal(Array.from({ length: MAX_PATCH_OPERATIONS + 1 }, () => remove)),
    "'body-patch' has more than 1000 operations",
  );
  t.equal(
    refusal([{ op: 'add', path: '/a', value: 'x'.repeat(MAX_PATCH_LENGTH) }]),
    "'body-patch' is longer than 262144 characters",
  );
  const deep = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000)) as unknown;
  t.equal(refusal([{ op: 'add', path: '/a', value: deep }]), "'body-patch' nests deeper than 256 levels");
});

t.test('a patch in a tnetstring is the same patch', async (t) => {
  const patch = [
    { op: 'add', path: '/ä', value: { text: 'é', list: [1, 2.5, true, null] } },
    { op: 'copy', from: '/a', path: '/b' },
  ];
  const item = parseItem(decodeTnetstring(encodeTnetstring(itemOf(patch))));
  t.strictSame(item, parseItem(itemOf(patch)));
  t.strictSame(itemToJson(item), itemToJson(parseItem(itemOf(patch))));
  const large = parseItem(decodeTnetstring(encodeTnetstring(itemOf([{ op: 'add', path: '', value: 2n ** 60n }]))));
  t.match(large.formats.httpResponse, { bodyPatch: `[{"op":"add","path":"","value":${Number(2n ** 60n)}}]` });
});

/** The patch as an item carries it. */
function checked(operations: unknown): string {
  const { httpResponse } = parseItem({
    channel: 'a',
    formats: { 'http-response': { 'body-patch': operations } },
  }).formats;
  if (httpResponse?.action !== 'send' || httpResponse.bodyPatch === undefined) throw new Error('no patch');
  return httpResponse.bodyPatch;
}

function patched(body: unknown, operations: readonly object[]): unknown {
  const result = applyBodyPatch(Buffer.from(JSON.stringify(body)), checked(operations));
  return result === undefined ? 'fails' : JSON.parse(result.toString());
}

/** Of RFC 6902, appendix A, and of what it leaves to the reader. */
const table: readonly (readonly [unknown, readonly object[], unknown])[] = [
  [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
  [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
  [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc'] }], { foo: ['bar', ['abc']] }],
  [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/1', value: 1 }], { foo: ['bar', 1] }],
  [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/2', value: 1 }], 'fails'],
  [{ foo: 'bar' }, [{ op: 'add', path: '/baz/bat', value: 'qux' }], 'fails'],
  [{ a: 1 }, [{ op: 'add', path: '', value: [2] }], [2]],
  [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
  [['a', 'b', 'c'], [{ op: 'remove', path: '/1' }], ['a', 'c']],
  [['a'], [{ op: 'remove', path: '/1' }], 'fails'],
  [['a'], [{ op: 'remove', path: '/-' }], 'fails'],
  [{ a: 1 }, [{ op: 'remove', path: '' }], 'fails'],
  [{ a: 1 }, [{ op: 'replace', path: '/a', value: 2 }], { a: 2 }],
  [{ a: 1 }, [{ op: 'replace', path: '/b', value: 2 }], 'fails'],
  [[1, 2], [{ op: 'replace', path: '/1', value: 3 }], [1, 3]],
  [[1, 2], [{ op: 'replace', path: '/2', value: 3 }], 'fails'],
  [{ a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
  [{ a: { x: 1 }, b: {} }, [{ op: 'move', from: '/a/x', path: '/b/y' }], { a: {}, b: { y: 1 } }],
  [['a', 'b', 'c'], [{ op: 'move', from: '/0', path: '/2' }], ['b', 'c', 'a']],
  [{ a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/c' }], 'fails'],
  [{ a: { b: 1 } }, [{ op: 'move', from: '', path: '/c' }], 'fails'],
  [{ a: 1 }, [{ op: 'move', from: '/a', path: '/a' }], { a: 1 }],
  [{ a: 1 }, [{ op: 'move', from: '/b', path: '/a' }], 'fails'],
  [
    { a: [1] },
    [
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'add', path: '/b/-', value: 2 },
    ],
    { a: [1], b: [1, 2] },
  ],
  [{ a: 1 }, [{ op: 'copy', from: '/b', path: '/a' }], 'fails'],
  [
    { a: { b: [1, { c: null }] } },
    [{ op: 'test', path: '/a', value: { b: [1, { c: null }] } }],
    { a: { b: [1, { c: null }] } },
  ],
  [{ a: { b: 1 } }, [{ op: 'test', path: '/a', value: {} }], 'fails'],
  [{ a: {} }, [{ op: 'test', path: '/a', value: { b: 1 } }], 'fails'],
  [{ a: [1, 2] }, [{ op: 'test', path: '/a', value: [2, 1] }], 'fails'],
  [{ a: '1' }, [{ op: 'test', path: '/a', value: 1 }], 'fails'],
  [{ a: [] }, [{ op: 'test', path: '/a', value: {} }], 'fails'],
  [{ a: 1 }, [{ op: 'test', path: '/b', value: null }], 'fails'],
  [
    { '/': 9, '~1': 10 },
    [
      { op: 'test', path: '/~01', value: 10 },
      { op: 'test', path: '/~1', value: 9 },
    ],
    { '/': 9, '~1': 10 },
  ],
  [{ '': 1 }, [{ op: 'replace', path: '/', value: 2 }], { '': 2 }],
  [
    { a: 1 },
    [
      { op: 'replace', path: '/a', value: 2 },
      { op: 'remove', path: '/none' },
    ],
    'fails',
  ],
];

for (const [body, operations, wanted] of table) {
  t.test(`${JSON.stringify(operations)} on ${JSON.stringify(body)}`, async (t) => {
    t.strictSame(patched(body, operations), wanted);
  });
}

const inherited = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', 'length', 'push'];

t.test('no operation finds what is inherited, on objects, lists, strings and numbers', async (t) => {
  const before = Object.getOwnPropertyNames(Object.prototype);
  const call = Object.prototype.hasOwnProperty.call;
  for (const name of inherited) {
    for (const path of [`/${name}/call`, `/list/${name}/x`, `/text/${name}`, `/number/${name}`, `/list/${name}`]) {
      for (const operation of [
        { op: 'add', path, value: 0 },
        { op: 'replace', path, value: 0 },
        { op: 'remove', path },
        { op: 'test', path, value: null },
        { op: 'move', from: path, path: '/b' },
        { op: 'copy', from: path, path: '/b' },
        { op: 'copy', from: '/number', path },
        { op: 'move', from: '/number', path },
      ]) {
        t.equal(patched({ list: [1], text: 'x', number: 1 }, [operation]), 'fails', JSON.stringify(operation));
      }
    }
  }
  t.strictSame(Object.getOwnPropertyNames(Object.prototype), before);
  t.equal(Object.prototype.hasOwnProperty.call, call);
});

t.test('an index is a number without a sign, a leading zero, an exponent or anything else', async (t) => {
  for (const token of ['-1', '01', '1e0', '0x0', '1.0', ' 1', '', '+1', 'NaN', '18446744073709551616', '99999999999']) {
    for (const op of ['add', 'replace', 'test']) {
      t.equal(patched([1, 2], [{ op, path: `/${token}`, value: 1 }]), 'fails', `${op} ${token}`);
    }
    t.equal(patched([1, 2], [{ op: 'remove', path: `/${token}` }]), 'fails');
  }
});

t.test('members with names that mean something elsewhere are members like any other', async (t) => {
  for (const name of inherited) {
    const body = JSON.parse(`{"${name}":{"x":1}}`) as object;
    const result = patched(body, [{ op: 'replace', path: `/${name}/x`, value: 2 }]) as object;
    t.equal(JSON.stringify(result), `{"${name}":{"x":2}}`);
    t.equal(JSON.stringify(patched({}, [{ op: 'add', path: `/${name}`, value: 1 }])), `{"${name}":1}`);
    t.equal(
      JSON.stringify(patched({ a: { x: 1 } }, [{ op: 'copy', from: '/a', path: `/${name}` }])),
      `{"a":{"x":1},"${name}":{"x":1}}`,
    );
    t.equal(
      JSON.stringify(patched(body, [{ op: 'copy', from: '', path: '/a' }])),
      `{"${name}":{"x":1},"a":{"${name}":{"x":1}}}`,
    );
    t.equal(patched(body, [{ op: 'test', path: '', value: {} }]), 'fails');
    t.equal(JSON.stringify(patched(body, [{ op: 'remove', path: `/${name}` }])), '{}');
  }
  t.equal(({} as Record<string, unknown>).x, undefined);
});

t.test('a body is patched on a value of its own', async (t) => {
  const patch = checked([
    { op: 'add', path: '/a', value: { list: [] } },
    { op: 'add', path: '/a/list/-', value: 1 },
  ]);
  t.equal(applyBodyPatch(Buffer.from('{}'), patch)?.toString(), '{"a":{"list":[1]}}');
  t.equal(applyBodyPatch(Buffer.from('{}\r\n'), patch)?.toString(), '{"a":{"list":[1]}}\r\n');
});

t.test('a body that is no JSON object or list is not patched', async (t) => {
  for (const body of ['', 'x', '1', '"a"', 'null', `${'['.repeat(300)}${']'.repeat(300)}`]) {
    t.equal(applyBodyPatch(Buffer.from(body), checked([])), undefined);
  }
});

t.test('copies that double a value end at their limit, whatever doubles', async (t) => {
  const refused = `the patched body would grow by more than ${MAX_PATCH_COPIES} bytes of copies`;
  for (const start of ['xxxxxxxxxxxxxxxx', ['x'], { a: 1 }, [], 1]) {
    const doubling = Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
    const body = Buffer.from(JSON.stringify({ a: [start] }));
    t.equal(
      messageOf('ERR_GRIP_PATCH', () => applyBodyPatch(body, checked(doubling))),
      refused,
    );
  }
  const long = Buffer.from(JSON.stringify({ a: 'x'.repeat(MAX_PATCH_COPIES / 2) }));
  const copies = (count: number) =>
    checked(Array.from({ length: count }, (_, i) => ({ op: 'copy', from: '/a', path: `/b${i}` })));
  t.ok(applyBodyPatch(long, copies(1)));
  t.equal(
    messageOf('ERR_GRIP_PATCH', () => applyBodyPatch(long, copies(2))),
    refused,
  );
});

t.test('a body does not nest deeper than any JSON may, by copies, moves or values', async (t) => {
  const refused = `the patched body would nest deeper than ${MAX_JSON_DEPTH} levels`;
  const list = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
  const chain = Array.from({ length: 300 }, (_, i) => [
    { op: 'add', path: '/b', value: {} },
    { op: 'move', from: '/a', path: '/b/a' },
    { op: 'move', from: '/b', path: '/a' },
    { op: 'test', path: '/c', value: i < 0 },
  ]).flat();
  const moves = chain.filter(({ op }) => op !== 'test');
  t.equal(
    messageOf('ERR_GRIP_PATCH', () => patched({ a: {} }, moves)),
    refused,
  );
  const copies = Array.from({ length: 9 }, () => ({ op: 'copy', from: '', path: '/0' }));
  t.ok(patched([0], copies.slice(0, 5)));
  t.equal(
    messageOf('ERR_GRIP_PATCH', () => patched([list(200)], [{ op: 'copy', from: '', path: `${'/0'.repeat(100)}/0` }])),
    refused,
  );
  t.equal(
    messageOf('ERR_GRIP_PATCH', () =>
      patched([list(200)], [{ op: 'add', path: `${'/0'.repeat(200)}/0`, value: list(100) }]),
    ),
    refused,
  );
});

t.test('any patch that is taken gives JSON, nothing, or its error, and changes no prototype', async (t) => {
  const token = fc.constantFrom(
    'a',
    'b',
    '0',
    '1',
    '-',
    '__proto__',
    'constructor',
    'length',
    'hasOwnProperty',
    '~0',
    '~1',
  );
  const pointer = fc.array(token, { maxLength: 3 }).map((tokens) => tokens.map((one) => `/${one}`).join(''));
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
    path: pointer,
    from: pointer,
    value: fc.jsonValue(),
  });
  const names = Object.getOwnPropertyNames(Object.prototype).join();
  fc.assert(
    fc.property(fc.jsonValue(), fc.array(operation, { maxLength: 8 }), (body, operations) => {
      const result = applyBodyPatch(Buffer.from(JSON.stringify(body)), checked(operations));
      if (result !== undefined) JSON.parse(result.toString());
      t.equal(Object.getOwnPropertyNames(Object.prototype).join(), names);
    }),
  );
});
