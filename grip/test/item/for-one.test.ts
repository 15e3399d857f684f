import t from 'tap';
import { GripError, itemToJson, parseItem, parsePublished } from '../../dist/index.js';

const formats = { 'http-stream': { content: 'x' } };

t.test('an item says whether it goes to one subscriber, in JSON and as a tnetstring has it', async (t) => {
  t.equal(parseItem({ channel: 'a', formats, deliver: 'one' }).deliver, 'one');
  t.equal(parseItem({ channel: 'a', formats, deliver: Buffer.from('one') }).deliver, 'one');
  for (const item of [
    { channel: 'a', formats },
    { channel: 'a', formats, deliver: 'all' },
  ]) {
    t.notOk('deliver' in parseItem(item));
    t.notOk('deliver' in itemToJson(parseItem(item)));
  }
  const item = parseItem({ channel: 'a', id: '1', formats, deliver: 'one' });
  t.strictSame(parseItem(JSON.parse(JSON.stringify(itemToJson(item)))), item);
});

t.test('an item to several channels goes to one subscriber of each', async (t) => {
  const items = parsePublished({ channels: ['a', 'b'], formats, deliver: 'one' });
  t.strictSame(
    items.map(({ channel, deliver }) => [channel, deliver]),
    [
      ['a', 'one'],
      ['b', 'one'],
    ],
  );
});

t.test('what is for all has no place in an item that goes to one', async (t) => {
  const refused = (item: object, text: string) => {
    const parse = () => parseItem({ channel: 'a', formats, deliver: 'one', ...item });
    t.throws(parse, new GripError('ERR_GRIP_ITEM', text));
  };
  refused({ deliver: 'two' }, 'publish item object contains \'deliver\' with unknown value "two", known are all, one');
  refused({ deliver: 1 }, "publish item object contains 'deliver' with wrong type: expected a string, got a number");
  refused({ 'prev-id': '1' }, "'prev-id' and 'deliver' with 'one' exclude each other");
  for (const [name, action] of [
    ['http-response', 'hint'],
    ['http-stream', 'close'],
    ['ws-message', 'refresh'],
  ] as const) {
    const text = `'deliver' with 'one' is for content: '${name}' has the action '${action}'`;
    refused({ formats: { [name]: { action } } }, text);
  }
  t.doesNotThrow(() => parseItem({ channel: 'a', 'prev-id': '1', formats, deliver: 'all' }));
});
