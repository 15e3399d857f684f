import t from 'tap';
import { type Item, itemBytes, MAX_NAME_BYTES, parseItem } from '../../dist/index.js';
import { messageOf } from '../grip-error.js';

const LARGE = 'x'.repeat(100_000);
const formats = { 'http-stream': { content: 'x' } };

/** Every part of an item that a publisher may make large. */
const large: Readonly<Record<string, object>> = {
  'meta value': { formats, meta: { a: LARGE } },
  'meta name': { formats, meta: { [LARGE]: 'a' } },
  'http-stream content': { formats: { 'http-stream': { content: LARGE } } },
  'http-stream content-filters': { formats: { 'http-stream': { content: '', 'content-filters': [LARGE] } } },
  'ws-message content': { formats: { 'ws-message': { content: LARGE } } },
  'ws-message close reason': { formats: { 'ws-message': { action: 'close', reason: LARGE } } },
  'http-response body': { formats: { 'http-response': { body: LARGE } } },
  'http-response header': { formats: { 'http-response': { body: '', headers: { a: LARGE } } } },
  'http-response header name': { formats: { 'http-response': { body: '', headers: { [LARGE]: 'a' } } } },
  'http-response body-patch': {
    formats: { 'http-response': { 'body-patch': [{ op: 'add', path: '', value: LARGE }] } },
  },
};

const parsed = (members: object): Item => parseItem({ channel: 'a', ...members });

for (const [part, members] of Object.entries(large)) {
  t.test(`counts the ${part}`, async (t) => {
    t.ok(itemBytes(parsed(members)) >= 100_000);
    t.ok(itemBytes(parsed(members)) < 210_000);
  });
}

t.test('counts members and texts that are many and small', async (t) => {
  const many = Array.from({ length: 1_000 }, (_, i) => `m${i}`);
  const meta = Object.fromEntries(many.map((name) => [name, '']));
  t.ok(itemBytes(parsed({ formats, meta })) > 100_000);
  const filters = { 'http-stream': { content: '', 'content-filters': many.map(() => '') } };
  t.ok(itemBytes(parsed({ formats: filters })) > 30_000);
});

t.test('refuses a name or an id that is too long, in bytes of UTF-8', async (t) => {
  for (const [key, name] of [
    ['channel', 'channel'],
    ['id', 'id'],
    ['prev-id', 'prev-id'],
  ] as const) {
    t.ok(parsed({ formats, [key]: 'x'.repeat(MAX_NAME_BYTES) }));
    t.ok(parsed({ formats, [key]: 'é'.repeat(MAX_NAME_BYTES / 2) }));
    for (const long of ['x'.repeat(MAX_NAME_BYTES + 1), 'é'.repeat(MAX_NAME_BYTES / 2 + 1)]) {
      t.equal(
        messageOf('ERR_GRIP_ITEM', () => parsed({ formats, [key]: long })),
        `publish item object contains '${name}' of more than 1024 bytes`,
      );
    }
  }
  t.equal(
    messageOf('ERR_GRIP_ITEM', () => parseItem({ formats }, 'x'.repeat(MAX_NAME_BYTES + 1))),
    'the topic is longer than 1024 bytes',
  );
});
