/** What docs/items.md says of bad bodies is what their publishers read. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseItems } from '../../dist/index.js';

const page = readFileSync(new URL('../../../docs/items.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| `(.+?)` \| `(.+?)` \|$/gm)].filter(([, body]) => /^[{[]/.test(body ?? ''));

t.test('each text of the page is the one that the body gets', async (t) => {
  t.ok(rows.length > 10);
  for (const [, body = '', text] of rows)
    t.throws(() => parseItems(Buffer.from(body)), { code: 'ERR_GRIP_ITEM', message: text }, body);
});

t.test('the example of the page is taken', async (t) => {
  const [, example = ''] = /```json\n(\{"items".*?)```/s.exec(page) ?? [];
  t.match(parseItems(Buffer.from(example)), [{ channel: 'room-1', id: '8', prevId: '7' }]);
});
