/** What of an item means nothing is named; what is read is known. */
import t from 'tap';
import {
  ItemWarnings,
  itemMembers,
  MAX_ITEM_WARNINGS,
  MAX_WARNINGS,
  parseItem,
  parseItems,
  parsePublished,
} from '../../dist/index.js';
import { formatKeys, formatRows } from '../../dist/item/formats.js';

const bodyOf = (...items: readonly object[]) => Buffer.from(JSON.stringify({ items }));

/** The warnings of items, in order. */
function warningsOf(...items: readonly object[]) {
  const warnings = new ItemWarnings();
  parseItems(bodyOf(...items), warnings);
  return items.map((_, at) => warnings.at(at));
}

const stream = { 'http-stream': { content: 'x' } };

t.test('unknown formats and members are named; what is known is not', async (t) => {
  const known = { channel: 'a', id: '1', 'prev-id': '0', meta: { any: 'x' }, size: 1, 'no-seq': true, formats: stream };
  t.strictSame(warningsOf(known, { channel: 'a', ...stream }, { channel: 'a', formats: { none: { x: 1 } } }), [
    undefined,
    undefined,
    undefined,
  ]);
  t.strictSame(
    warningsOf(
      { channel: 'a', formats: { ...stream, 'http-steam': {} } },
      { channel: 'a', prev_id: '1', formats: stream },
      { channel: 'a', 'ws-message': { content: 'x', kind: 'text' } },
      { channel: 'a', formats: stream, 'ws-message': {} },
    ),
    [
      ['unknown format "http-steam": known are http-response, http-stream, ws-message, http-request and xmpp-stanza'],
      ['unknown member "prev_id" of the item'],
      ['unknown member "kind" of \'ws-message\''],
      ['unknown member "ws-message" of the item'],
    ],
  );
});

t.test('names of prototypes are names like others', async (t) => {
  const warnings = new ItemWarnings();
  const text =
    '{"items":[{"channel":"a","__proto__":1,"constructor":2,"formats":{"http-stream":{"content":"x","toString":1}}}]}';
  parseItems(Buffer.from(text), warnings);
  t.equal(warnings.at(0)?.length, 3);
});

t.test('they are bounded for an item, for a publish, and in what they quote', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`m${i}`, 1]));
  const all = warningsOf(...Array.from({ length: 30 }, () => ({ channel: 'a', ...many, formats: stream })));
  t.equal(all[0]?.length, MAX_ITEM_WARNINGS);
  t.equal(all.flat().filter((text) => text !== undefined).length, MAX_WARNINGS);
  t.equal(all.at(-1), undefined);
  const [long] = warningsOf({
    channel: 'a',
    [`${'y'.repeat(100_000)}`]: 1,
    formats: { ...stream, [`z${'z'.repeat(9_999)}`]: 1 },
  });
  for (const text of long ?? []) t.ok(text.length < 200, text);
});

/** An object that notes which of its members are looked at. */
function watched(object: object, seen: Set<string>): object {
  return new Proxy(object, {
    getOwnPropertyDescriptor(target, key) {
      if (typeof key === 'string') seen.add(key);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
  });
}

t.test('every member that is read is known, and every known one is read', async (t) => {
  const seen = new Set<string>();
  const none = new Set<string>();
  parsePublished(watched({ channel: 'a', formats: stream }, seen));
  t.strictSame([...seen].sort(), [...itemMembers].sort());
  // With a known part of each: some members are looked at only where others are not there.
  const given = {
    'http-response': [{ body: 'x' }, { 'body-patch': [] }, { action: 'close' }],
    'http-stream': [{ content: 'x' }],
    'ws-message': [{ content: 'x' }, { action: 'close' }],
    'http-request': [{ body: 'x' }],
    'xmpp-stanza': [{ content: '<presence/>' }],
  };
  for (const key of formatKeys) {
    const { name, members } = formatRows[key];
    const read = new Set<string>();
    for (const value of given[name]) parseItem({ channel: 'a', formats: watchedMember(name, value, read, none) });
    t.strictSame([...read].sort(), [...members].sort(), name);
  }
});

function watchedMember(name: string, value: object, read: Set<string>, others: Set<string>): object {
  return watched({ [name]: watched(value, read) }, others);
}
