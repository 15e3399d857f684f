import t from 'tap';
import { GripError, type GripErrorCode, gripErrors } from '../dist/index.js';

t.test('an error carries its code, the side at fault, its text and its cause', async (t) => {
  const cause = new Error('why');
  const error = new GripError('ERR_GRIP_ITEM', 'no formats specified', { cause });
  t.ok(error instanceof Error);
  t.match(error, { name: 'GripError', code: 'ERR_GRIP_ITEM', side: 'client', message: 'no formats specified', cause });
});

t.test('every code has a side and one line of meaning', async (t) => {
  for (const [code, { side, meaning }] of Object.entries(gripErrors)) {
    t.match(code, /^ERR_GRIP_[A-Z_]+$/);
    t.ok(['client', 'origin', 'internal'].includes(side), code);
    t.match(meaning, /^[A-Z][^\n]+\.$/, code);
    t.equal(new GripError(code as GripErrorCode, '').side, side);
  }
});
