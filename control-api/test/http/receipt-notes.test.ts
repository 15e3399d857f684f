/** What is said of receipts to those who do not read JSON. */
import t from 'tap';
import { receiptNotes } from '../../dist/index.js';

const receipt = { id: '1', channel: 'a' };
const unreceived = { ...receipt, unreceived: true } as const;
const duplicate = { ...receipt, duplicate: true } as const;

t.test('nothing where all is as it should be', async (t) => {
  t.strictSame(receiptNotes([]), []);
  t.strictSame(receiptNotes([receipt, receipt]), []);
});

t.test('a single item is called that; several are named by their place, ten of them', async (t) => {
  t.strictSame(receiptNotes([unreceived]), ['Note: the item reached nobody.']);
  t.match(receiptNotes([duplicate]), [/a moment ago: the item\.$/]);
  t.match(receiptNotes([{ ...receipt, stale: true }]), [/this version or a later one: the item\.$/]);
  const many = Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? unreceived : duplicate));
  const [first = '', second = ''] = receiptNotes(many);
  t.match(first, /^Note: items\[0\], items\[2\], .*, items\[18\] and 5 more reached nobody\.$/);
  t.match(second, /: items\[1\], .*, items\[19\] and 5 more\.$/);
});

t.test('the reach of a single item, and how many nodes were silent', async (t) => {
  const reach = { response: 1, stream: 2, ws: 3, callback: 0, xmpp: 4 };
  t.strictSame(receiptNotes([{ ...receipt, reach }], ['x', 'y']), [
    'Reach: 1 response, 2 stream, 3 ws, 4 xmpp.',
    'Note: nodes that did not answer: 2.',
  ]);
  t.strictSame(receiptNotes([{ ...receipt, reach }, receipt]), []);
});
