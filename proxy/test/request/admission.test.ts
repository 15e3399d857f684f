import t from 'tap';
import { Admission } from '../../dist/request/admission.js';
import { growth, LINEAR_MAX } from '../growth.js';

t.test('so many at a time, the others in the order of their coming', async (t) => {
  const went: number[] = [];
  const admission = new Admission(2);
  for (let i = 0; i < 5; i++) admission.enter(() => went.push(i));
  t.strictSame(went, [0, 1]);
  t.equal(admission.waiting, 3);
  admission.leave();
  t.strictSame(went, [0, 1, 2]);
  admission.leave();
  admission.leave();
  t.strictSame(went, [0, 1, 2, 3, 4]);
  for (let i = 0; i < 2; i++) admission.leave();
  t.notOk(admission.enter(() => went.push(5)));
  t.equal(went.at(-1), 5);
});

t.test('one that takes its place back is passed over, and nothing is kept of it', async (t) => {
  const went: number[] = [];
  const admission = new Admission(1);
  const quit = Array.from({ length: 5_000 }, (_, i) => admission.enter(() => went.push(i)));
  for (const [i, leave] of quit.entries()) if (i % 1_000 !== 999) leave?.();
  quit[1]?.();
  t.equal(admission.waiting, 5);
  for (let i = 0; i < 6; i++) admission.leave();
  t.strictSame(went, [0, 999, 1_999, 2_999, 3_999, 4_999]);
  t.equal(admission.waiting, 0);
  quit[999]?.();
  t.equal(admission.waiting, 0);
});

t.test('the work grows no faster than the queue', async (t) => {
  const ratio = await growth(12_500, (size) => {
    const admission = new Admission(1);
    for (let i = 0; i <= size; i++) admission.enter(() => {});
    return () => {
      for (let i = 0; i < size; i++) admission.leave();
    };
  });
  t.ok(ratio < LINEAR_MAX, `${ratio}`);
});
