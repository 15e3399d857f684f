/** The member `channels`: one content for several channels. */
import t from 'tap';
import { MAX_ITEM_CHANNELS, MAX_NAMED_CHANNELS, parseItem, parseItems, parsePublished } from '../../dist/index.js';
import { messageOf } from '../grip-error.js';

const stream = { 'http-stream': { content: 'x' } };
const bodyOf = (items: unknown) => Buffer.from(JSON.stringify({ items }));
const names = (count: number) => Array.from({ length: count }, (_, n) => `c${n}`);

t.test('an item that names channels is one item for each, the same in all else', async (t) => {
  const others = { id: '7', 'prev-id': '6', formats: stream, meta: { a: 'b' }, size: 3, 'no-seq': true };
  const items = parsePublished({ channels: ['a', 'b', 'ü'], ...others });
  t.strictSame(
    items,
    ['a', 'b', 'ü'].map((channel) => parseItem({ channel, ...others })),
  );
});

t.test('the content of all of them is the same memory, which is of nothing else', async (t) => {
  const [first, second] = parsePublished({ channels: ['a', 'b'], formats: stream });
  t.equal(first?.formats, second?.formats);
  t.equal(first?.meta, second?.meta);
  const format = first?.formats.httpStream;
  t.equal(format?.action === 'send' && format.content.buffer.byteLength, 1);
});

t.test('a channel that is named twice gets the item once, in the place of its first naming', async (t) => {
  const items = parsePublished({ channels: ['b', 'a', 'b', ''], formats: stream });
  t.strictSame(
    items.map(({ channel }) => channel),
    ['b', 'a', ''],
  );
});

t.test('one channel in the list is as in `channel`', async (t) => {
  t.strictSame(parsePublished({ channels: [''], formats: stream }), [parseItem({ channel: '', formats: stream })]);
});

t.test('a topic replaces them', async (t) => {
  t.strictSame(
    parsePublished({ channels: ['a', 'b'], formats: stream }, 'topic').map(({ channel }) => channel),
    ['topic'],
  );
});

t.test('byte strings are names too, as a tnetstring has them', async (t) => {
  const items = parsePublished({ channels: [Buffer.from('é'), Buffer.from('b')], formats: stream });
  t.strictSame(
    items.map(({ channel }) => channel),
    ['é', 'b'],
  );
});

t.test('what is wrong with the list is an error of the publisher, with its text', async (t) => {
  const name = 'publish item object';
  const table: [object, string][] = [
    [{ channel: 'a', channels: ['b'] }, `${name} contains both 'channel' and 'channels'`],
    [{ channels: 'a' }, `${name} contains 'channels' with wrong type: expected a list, got a string`],
    [{ channels: null }, `${name} contains 'channels' with wrong type: expected a list, got null`],
    [{ channels: [] }, `${name} contains 'channels' with invalid value: must be a list of 1 to 1000 channels`],
    [
      { channels: names(MAX_ITEM_CHANNELS + 1) },
      `${name} contains 'channels' with invalid value: must be a list of 1 to 1000 channels`,
    ],
    [{ channels: ['a', 1] }, "'channels' contains a value with wrong type: expected a string, got a number"],
    [{ channels: ['a', 'x'.repeat(1_025)] }, "'channels' contains a name of more than 1024 bytes"],
    [
      { channels: ['a'], formats: {} },
      "no formats specified: expected http-response, http-stream, ws-message, http-request or xmpp-stanza in 'formats'",
    ],
  ];
  for (const [members, message] of table) {
    const item = { formats: stream, ...members };
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parsePublished(item)),
      message,
    );
  }
});

t.test('as many as may be in one item are taken', async (t) => {
  t.equal(parsePublished({ channels: names(MAX_ITEM_CHANNELS), formats: stream }).length, MAX_ITEM_CHANNELS);
});

t.test('a body takes items with and without, in order; a bad one is named by its place in the body', async (t) => {
  const items = [
    { channels: ['a', 'b'], ...stream },
    { channel: 'c', ...stream },
  ];
  t.strictSame(
    parseItems(bodyOf(items)).map(({ channel }) => channel),
    ['a', 'b', 'c'],
  );
  t.equal(
    messageOf('ERR_GRIP_ITEM', () => parseItems(bodyOf([...items, { channels: [5], ...stream }]))),
    "Invalid format: items[2]: 'channels' contains a value with wrong type: expected a string, got a number",
  );
});

t.test(
  'all items of a body name no more channels than that: a short body does not become a million items',
  async (t) => {
    const full = { channels: names(MAX_ITEM_CHANNELS), ...stream };
    const most = new Array(MAX_NAMED_CHANNELS / MAX_ITEM_CHANNELS).fill(full);
    const plain = new Array(100).fill({ channel: 'a', ...stream });
    t.equal(parseItems(bodyOf([...most, ...plain])).length, MAX_NAMED_CHANNELS + 100);
    t.equal(
      messageOf('ERR_GRIP_ITEM', () => parseItems(bodyOf([...most, { channels: ['x', 'y'], ...stream }]))),
      "Invalid format: items[10]: the items up to this one name more than 10000 channels in 'channels'",
    );
  },
);
