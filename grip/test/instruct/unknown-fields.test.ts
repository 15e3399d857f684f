/** Fields that only look like GRIP's. */
import t from 'tap';
import { gripFields, parseInstructHeaders, unknownGripFields } from '../../dist/index.js';

t.test('fields that begin with Grip- and mean nothing are named, as they were written', async (t) => {
  const headers = ['Grip-Chanel', 'a', 'Content-Type', 'text/plain', 'grip-hold', 'stream', 'GRIP-', ''];
  t.strictSame(unknownGripFields(headers), ['Grip-Chanel', 'GRIP-']);
  t.equal(parseInstructHeaders({ status: 200, reason: 'OK', headers }).hold?.mode, 'stream', 'and are passed over');
});

t.test('no field that means something is among them', async (t) => {
  const written = gripFields.flatMap((name) => [name, 'x', name.toLowerCase(), 'x', name.toUpperCase(), 'x']);
  t.strictSame(unknownGripFields(written), []);
});
