import fc from 'fast-check';
import t from 'tap';
import { itemToJson, parseItem, parseItems, wireFromText } from '../../dist/index.js';
import { messageOf, valueOrGripError } from '../grip-error.js';

const stream = { 'http-stream': { content: 'x' } };

t.test('an item has a channel and formats, and all else is optional', async (t) => {
  t.same(parseItem({ channel: 'a', formats: stream }), {
    channel: 'a',
    formats: { httpStream: { action: 'send', content: Buffer.from('x') } },
    meta: {},
    noSeq: false,
  });
  t.match(
    parseItem({ channel: '', id: '', 'prev-id': '1', formats: stream, meta: { a: 'b' }, size: '7', 'no-seq': true }),
    { channel: '', id: '', prevId: '1', size: 7, noSeq: true },
  );
});

t.test('an item may have a version, with or without an epoch', async (t) => {
  const item = parseItem({ channel: 'a', formats: stream, version: 7, 'version-epoch': 'x' });
  t.match(item, { version: 7, versionEpoch: 'x' });
  t.same(parseItem(itemToJson(item)), item);
  const bare = parseItem({ channel: 'a', formats: stream, version: '0' });
  t.match(bare, { version: 0, versionEpoch: '' });
  t.same(parseItem(itemToJson(bare)), bare);
  for (const version of [-1, 2 ** 53, 'x', null])
    t.match(
      messageOf('ERR_GRIP_ITEM', () => parseItem({ channel: 'a', formats: stream, version })),
      /'version'/,
      `${version}`,
    );
  t.match(
    messageOf('ERR_GRIP_ITEM', () => parseItem({ channel: 'a', formats: stream, 'version-epoch': 'x' })),
    /'version'/,
  );
});

t.test('formats may stand in the item itself, the old form', async (t) => {
  t.same(parseItem({ channel: 'a', ...stream }), parseItem({ channel: 'a', formats: stream }));
});

t.test('an explicit formats object with unknown names only is accepted and delivers nothing', async (t) => {
  t.same(parseItem({ channel: 'a', formats: { 'smoke-signal': {} }, ...stream }).formats, {});
});

t.test('a topic replaces the channel, unless it is empty', async (t) => {
  t.equal(parseItem({ formats: stream }, 'topic').channel, 'topic');
  t.equal(parseItem({ channel: 'a', formats: stream }, 'topic').channel, 'topic');
  t.equal(parseItem({ channel: 'a', formats: stream }, '').channel, 'a');
});

t.test('byte strings are read like strings, as a tnetstring has them', async (t) => {
  const bytes = Buffer.from([0xff, 0]);
  const item = {
    channel: Buffer.from('é'),
    formats: { 'http-stream': { content: bytes }, 'ws-message': { content: bytes } },
  };
  t.match(parseItem(item), {
    channel: 'é',
    formats: { httpStream: { content: bytes }, wsMessage: { content: bytes, type: 'binary' } },
  });
});

t.test('meta keys that are members of every object are only keys', async (t) => {
  const { meta } = parseItem(JSON.parse('{"channel":"a","http-stream":{"content":""},"meta":{"__proto__":"x"}}'));
  t.same(Object.entries(meta), [['__proto__', 'x']]);
  t.equal(Object.getPrototypeOf(meta), null);
});

t.test('what is wrong with an item is an error of the publisher, with its text', async (t) => {
  const item = (members: object) => ({ channel: 'a', formats: stream, ...members });
  const name = 'publish item object';
  const table: [unknown, string][] = [
    ['x', `${name} is not an object but a string`],
    [null, `${name} is not an object but null`],
    [[], `${name} is not an object but a list`],
    [{ formats: stream }, `${name} does not contain 'channel'`],
    [item({ channel: 1 }), `${name} contains 'channel' with wrong type: expected a string, got a number`],
    [item({ id: null }), `${name} contains 'id' with wrong type: expected a string, got null`],
    [item({ id: 5 }), `${name} contains 'id' with wrong type: expected a string, got a number`],
    [item({ 'prev-id': null }), `${name} contains 'prev-id' with wrong type: expected a string, got null`],
    [item({ formats: null }), `${name} contains 'formats' with wrong type: expected an object, got null`],
    [
      item({ formats: {} }),
      "no formats specified: expected http-response, http-stream, ws-message, http-request or xmpp-stanza in 'formats'",
    ],
    [
      { channel: 'a' },
      "no formats specified: expected http-response, http-stream, ws-message, http-request or xmpp-stanza in 'formats'",
    ],
    [
      { channel: 'a', __proto__: stream },
      "no formats specified: expected http-response, http-stream, ws-message, http-request or xmpp-stanza in 'formats'",
    ],
    [item({ formats: { 'http-stream': null } }), "'http-stream' is not an object but null"],
    [item({ meta: [] }), `${name} contains 'meta' with wrong type: expected an object, got a list`],
    [item({ meta: { x: null } }), "'meta' contains 'x' with wrong type: expected a string, got null"],
    [item({ size: 'x' }), `${name} contains 'size' with wrong type: expected a whole number, got a string`],
    [item({ size: -1 }), `${name} contains 'size' with invalid value: must be from 0 to 2147483647`],
    [item({ 'no-seq': 'true' }), `${name} contains 'no-seq' with wrong type: expected true or false, got a string`],
  ];
  for (const [value, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parseItem(value)),
      message,
      JSON.stringify(value),
    );
  }
});

t.test('a body holds any number of items, none included', async (t) => {
  const bodyOf = (items: unknown) => Buffer.from(JSON.stringify({ items }));
  t.same(parseItems(bodyOf([])), []);
  t.same(
    parseItems(
      bodyOf([
        { channel: 'a', ...stream },
        { channel: 'b', ...stream },
      ]),
    ).map(({ channel }) => channel),
    ['a', 'b'],
  );
});

t.test('one bad item fails the whole body; the message is the text of the answer', async (t) => {
  const table: [string, string][] = [
    ['', 'Body is not valid JSON.'],
    ['{"items":', 'Body is not valid JSON.'],
    ['5', 'Body is not valid JSON.'],
    ['[]', 'Invalid format.'],
    ['{}', "Invalid format: object does not contain 'items'"],
    ['{"items":{}}', "Invalid format: object contains 'items' with wrong type: expected a list, got an object"],
    ['{"items":[5]}', 'Invalid format: items[0]: publish item object is not an object but a number'],
    [
      `{"items":[{"channel":"a","http-stream":{"content":""}},{"channel":"b"}]}`,
      "Invalid format: items[1]: no formats specified: expected http-response, http-stream, ws-message, http-request or xmpp-stanza in 'formats'",
    ],
    [
      '{"items":[{"channel":"a","http-stream":{}}]}',
      "Invalid format: items[0]: 'http-stream' does not contain 'content' or 'content-bin'",
    ],
  ];
  for (const [body, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parseItems(Buffer.from(body))),
      message,
      body,
    );
  }
  t.equal(
    messageOf('ERR_GRIP_ITEM', () => parseItems(Buffer.from('{"items":["\xff"]}', 'latin1'))),
    'Body is not valid JSON.',
    'not UTF-8',
  );
});

t.test('an item of unknown formats only survives its JSON', async (t) => {
  const { unknownFormats, ...item } = parseItem({ channel: 'a', formats: { other: 1 } });
  t.strictSame(unknownFormats, ['other']);
  t.same(parseItem(itemToJson(item)), item, 'but for the names, which are for the log of who took it');
});

t.test('of the names of unknown formats the first three are kept, and of each 50 characters', async (t) => {
  const unknown = ['http-steam', 'x'.repeat(60), 'xmpp', 'webhook'];
  const formats = { ...stream, ...Object.fromEntries(unknown.map((name) => [name, {}])) };
  const item = parseItem({ channel: 'a', formats });
  t.strictSame(item.unknownFormats, ['http-steam', 'x'.repeat(50), 'xmpp']);
  t.equal(parseItem({ channel: 'a', formats: stream }).unknownFormats, undefined);
});

const filters = fc.array(fc.constantFrom('build-id', 'var-subst', 'x'));
const text = fc.string({ unit: 'binary' });
const base64 = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64'));
const others = fc.record({ action: fc.constantFrom('hint', 'refresh', 'close') });

/** `content` or `content-bin` with the other members of a format. */
function withContent(key: string, members: fc.Arbitrary<object>): fc.Arbitrary<object> {
  const content = fc.oneof(
    text.map((value) => ({ [key]: value })),
    base64.map((value) => ({ [`${key}-bin`]: value })),
  );
  return fc.tuple(members, content).map(([rest, part]) => ({ ...rest, ...part }));
}

const optional = { requiredKeys: [] as never[] };
const headerName = fc.stringMatching(/^[A-Za-z-]{1,8}$/);
const headerValue = text.map((value) => value.replace(/\p{Cc}/gu, ''));
const pointer = fc.constantFrom('', '/a', '/a~1b/0', '/-');
const operation = fc.oneof(
  fc.record({ op: fc.constantFrom('add', 'replace', 'test'), path: pointer, value: fc.jsonValue() }),
  fc.record({ op: fc.constantFrom('move', 'copy'), path: pointer, from: pointer }),
);
const httpResponse = fc.oneof(
  others,
  withContent(
    'body',
    fc.record(
      {
        code: fc.integer({ min: 200, max: 999 }),
        reason: headerValue,
        headers: fc.array(fc.tuple(headerName, headerValue)),
        'content-filters': filters,
      },
      optional,
    ),
  ),
  fc.record({ 'body-patch': fc.array(operation) }),
);
const httpStream = fc.oneof(others, withContent('content', fc.record({ 'content-filters': filters }, optional)));
const wsMessage = fc.oneof(
  others,
  fc.record({ action: fc.constant('close'), code: fc.nat(65535), reason: text }),
  fc.record({ type: fc.constantFrom('ping', 'pong') }),
  withContent('content', fc.record({ type: fc.constant('binary'), 'content-filters': filters }, optional)),
  fc.record({ type: fc.constant('text'), content: text }),
);
const items = fc.record(
  {
    channel: text,
    id: text,
    'prev-id': text,
    formats: fc.record({ 'http-response': httpResponse, 'http-stream': httpStream, 'ws-message': wsMessage }, optional),
    meta: fc.dictionary(text, text),
    size: fc.nat(),
    'no-seq': fc.boolean(),
  },
  { requiredKeys: ['channel', 'formats'] },
);

t.test('parsing the JSON of an item gives the same item, across a JSON text too', async (t) => {
  let parsed = 0;
  fc.assert(
    fc.property(items, (value) => {
      const item = valueOrGripError('ERR_GRIP_ITEM', () => parseItem(value));
      if (!item) return;
      parsed++;
      t.strictSame(parseItem(itemToJson(item)), item);
      t.strictSame(parseItem(JSON.parse(JSON.stringify(itemToJson(item)))), item);
    }),
    { numRuns: 300 },
  );
  t.ok(parsed > 100, 'most generated items are valid');
});

t.test('header values survive the JSON of an item byte for byte', async (t) => {
  const item = parseItem({
    channel: 'a',
    formats: { 'http-response': { headers: [['X', 'é']], reason: 'ü', body: '' } },
  });
  const { httpResponse } = parseItem(itemToJson(item)).formats;
  t.match(httpResponse, { headers: ['X', wireFromText('é')], reason: wireFromText('ü') });
});

t.test('arbitrary bytes and arbitrary JSON yield items or a GripError', async () => {
  const any = fc.oneof(
    fc.uint8Array().map((array) => Buffer.from(array)),
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify({ items: [value] }))),
    fc
      .dictionary(fc.constantFrom('channel', 'id', 'formats', 'http-stream', 'ws-message', 'meta'), fc.jsonValue())
      .map((item) => Buffer.from(JSON.stringify({ items: [item] }))),
  );
  fc.assert(
    fc.property(any, (body) => {
      valueOrGripError('ERR_GRIP_ITEM', () => parseItems(body));
    }),
  );
});
