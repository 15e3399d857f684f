import t from 'tap';
import { growth, LINEAR_MAX } from '../../../grip/dist-test/growth.js';
import { Admission, type Entrant } from '../../dist/request/admission.js';

/** Requests by number, and those of them that were let through. */
function entrants(count: number) {
  const went: number[] = [];
  const all: Entrant[] = Array.from({ length: count }, (_, i) => ({ admitted: () => void went.push(i) }));
  return { went, all };
}

t.test('so many at a time, the others in the order of their coming', async (t) => {
  const { went, all } = entrants(6);
  const admission = new Admission(2);
  for (const entrant of all.slice(0, 5)) admission.enter(entrant);
  t.strictSame(went, [0, 1]);
  t.equal(admission.waiting, 3);
  admission.leave();
  t.strictSame(went, [0, 1, 2]);
  admission.leave();
  admission.leave();
  t.strictSame(went, [0, 1, 2, 3, 4]);
  for (let i = 0; i < 2; i++) admission.leave();
  admission.enter(all[5] as Entrant);
  t.equal(went.at(-1), 5);
});

t.test('one that is withdrawn is passed over, and nothing is kept of it', async (t) => {
  const { went, all } = entrants(5_000);
  const admission = new Admission(1);
  for (const entrant of all) admission.enter(entrant);
  for (const [i, entrant] of all.entries()) if (i % 1_000 !== 999) admission.withdraw(entrant);
  admission.withdraw(all[1] as Entrant);
  t.equal(admission.waiting, 5);
  for (let i = 0; i < 6; i++) admission.leave();
  t.strictSame(went, [0, 999, 1_999, 2_999, 3_999, 4_999]);
  t.equal(admission.waiting, 0);
  admission.withdraw(all[999] as Entrant);
  t.equal(admission.waiting, 0);
});

t.test('the work grows no faster than the queue', async (t) => {
  const ratio = await growth(12_500, (size) => {
    const admission = new Admission(1);
    for (let i = 0; i <= size; i++) admission.enter({ admitted() {} });
    return () => {
      for (let i = 0; i < size; i++) admission.leave();
    };
  });
  t.ok(ratio < LINEAR_MAX, `${ratio}`);
});
