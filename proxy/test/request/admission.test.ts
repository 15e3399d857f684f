import t from 'tap';
import { Admission } from '../../dist/request/admission.js';

t.test('those that wait are let through in order, and those that were withdrawn not at all', async (t) => {
  const admission = new Admission(1);
  const admitted: string[] = [];
  const entrant = (name: string) => ({ admitted: () => void admitted.push(name) });
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(entrant) as ReturnType<typeof entrant>[];
  for (const one of [a, b, c, d]) if (one !== undefined) admission.enter(one);
  t.strictSame([admitted, admission.waiting], [['a'], 3]);
  if (c !== undefined) admission.withdraw(c);
  t.equal(admission.waiting, 2);
  admission.leave();
  admission.leave();
  admission.leave();
  t.strictSame(admitted, ['a', 'b', 'd']);
  admission.enter(entrant('e'));
  t.equal(admitted.at(-1), 'e', 'its place is free again');
});

t.test('clients that come and go while others are served leave nothing behind', async (t) => {
  const admission = new Admission(1);
  admission.enter({ admitted: () => {} });
  for (let i = 0; i < 10_000; i++) {
    const entrant = { admitted: () => t.fail('it has gone') };
    admission.enter(entrant);
    admission.withdraw(entrant);
  }
  t.equal(admission.waiting, 0);
  admission.leave();
});
