/** The schema of a publish takes what the parser takes, and refuses what it refuses. */
import { parseItems } from '@holdfast/grip';
import t from 'tap';
import { schemaAt } from './document.js';

const isPublish = schemaAt('components/schemas/Publish');

const taken: readonly object[] = [
  { channel: 'a', formats: { 'http-stream': { content: 'x' } } },
  { channel: '', 'http-stream': { 'content-bin': 'eA==' } },
  { channel: 'a', id: '1', 'prev-id': '0', meta: { a: 'b' }, size: 5, 'no-seq': true, 'ws-message': { content: 'x' } },
  { channels: ['a', 'b'], version: 5, 'version-epoch': 'x', 'http-stream': { content: 'x' } },
  { channel: 'a', size: '5', more: 1, formats: { other: 1 } },
  { channel: 'a', formats: { 'http-response': { code: 404, reason: 'No', headers: { A: 'b' }, body: '' } } },
  {
    channel: 'a',
    formats: {
      'http-response': {
        code: '404',
        headers: [
          ['A', 'b'],
          ['A', 'c'],
        ],
        'body-bin': '',
      },
    },
  },
  { channel: 'a', formats: { 'http-response': { 'body-patch': [{ op: 'add', path: '/a', value: 1 }] } } },
  { channel: 'a', formats: { 'http-response': { action: 'hint' }, 'http-stream': { action: 'close' } } },
  { channel: 'a', formats: { 'ws-message': { action: 'close', code: 4_000, reason: 'x' } } },
  { channel: 'a', formats: { 'ws-message': { type: 'ping' } } },
  { channel: 'a', formats: { 'ws-message': { type: 'binary', 'content-bin': 'AA==', 'content-filters': [] } } },
  { channel: 'a', formats: { 'http-stream': { action: 'refresh', content: 'not looked at' } } },
];

const refused: readonly unknown[] = [
  'x',
  {},
  { channel: 'a', channels: ['b'], 'http-stream': { content: 'x' } },
  { channels: [], 'http-stream': { content: 'x' } },
  { channel: 'a', version: -1, 'http-stream': { content: 'x' } },
  { channel: 5, 'http-stream': { content: 'x' } },
  { channel: 'a' },
  { channel: 'a', formats: {} },
  { channel: 'a', formats: [] },
  { channel: 'a', formats: { 'http-stream': {} } },
  { channel: 'a', formats: { 'http-stream': { content: 5 } } },
  { channel: 'a', formats: { 'http-stream': { content: null } } },
  { channel: 'a', formats: { 'http-stream': { action: 'explode', content: 'x' } } },
  { channel: 'a', formats: { 'http-stream': { content: 'x', 'content-filters': [1] } } },
  { channel: 'a', id: 1, formats: { 'http-stream': { content: 'x' } } },
  { channel: 'a', meta: { a: 1 }, formats: { 'http-stream': { content: 'x' } } },
  { channel: 'a', size: -1, formats: { 'http-stream': { content: 'x' } } },
  { channel: 'a', 'no-seq': 'true', formats: { 'http-stream': { content: 'x' } } },
  { channel: 'a', formats: { 'http-response': { code: 200 } } },
  { channel: 'a', formats: { 'http-response': { code: 1_000, body: '' } } },
  { channel: 'a', formats: { 'http-response': { code: 100, body: '' } } },
  { channel: 'a', formats: { 'http-response': { code: 200.5, body: '' } } },
  { channel: 'a', formats: { 'http-response': { headers: [['A', 'b', 'c']], body: '' } } },
  { channel: 'a', formats: { 'http-response': { headers: { A: 1 }, body: '' } } },
  { channel: 'a', formats: { 'http-response': { 'body-patch': [{ op: 'add' }] } } },
  { channel: 'a', formats: { 'http-response': { 'body-patch': [{ op: 'eat', path: '' }] } } },
  { channel: 'a', formats: { 'ws-message': { type: 'video', content: 'x' } } },
  { channel: 'a', formats: { 'ws-message': { type: 'text' } } },
  { channel: 'a', formats: { 'ws-message': { action: 'close', code: 70_000 } } },
];

const isTaken = (items: readonly unknown[]) => {
  try {
    return parseItems(Buffer.from(JSON.stringify({ items }))).length >= items.length;
  } catch {
    return false;
  }
};

t.test('what is taken fits', async (t) => {
  for (const item of taken) {
    t.ok(isTaken([item]), JSON.stringify(item));
    t.ok(isPublish({ items: [item] }), `${JSON.stringify(item)}: ${JSON.stringify(isPublish.errors)}`);
  }
  t.ok(isPublish({ items: taken }) && isPublish({ items: [] }));
});

t.test('what is refused does not', async (t) => {
  for (const item of refused) {
    t.notOk(isTaken([item]), JSON.stringify(item));
    t.notOk(isPublish({ items: [item] }), JSON.stringify(item));
  }
  for (const body of [[], {}, 'x', null, { items: {} }]) t.notOk(isPublish(body), JSON.stringify(body));
});
