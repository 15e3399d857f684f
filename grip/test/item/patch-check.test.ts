import t from 'tap';
import { decodeTnetstring, encodeTnetstring, itemToJson, parseItem } from '../../dist/index.js';
import { MAX_PATCH_LENGTH, MAX_PATCH_OPERATIONS } from '../../dist/item/patch-check.js';
import { messageOf } from '../grip-error.js';

const itemOf = (patch: unknown) => ({ channel: 'a', formats: { 'http-response': { 'body-patch': patch } } });
const refusal = (patch: unknown) => messageOf('ERR_GRIP_ITEM', () => parseItem(itemOf(patch)));

const table: readonly (readonly [unknown, string])[] = [
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

for (const [operation, fault] of table) {
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
