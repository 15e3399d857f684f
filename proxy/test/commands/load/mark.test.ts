import t from 'tap';
import { dueOf, firstAfter, MAX_NUMBER, MarkReader, markText } from '../../../dist/commands/load/mark.js';

const schedule = { run: 'run-1', first: 1_700_000_000_000.25, every: 1000 / 3, last: 30 };

t.test('what an item says is read again, wherever it stands', async (t) => {
  const marks = new MarkReader();
  for (const number of [0, 1, 30]) {
    const text = markText(schedule, number, 200);
    t.equal(text.length, 200);
    for (const line of [text, `data: ${text}`, `{"text":"${text}"}`]) {
      const mark = marks.read(line);
      t.equal(mark?.number, number);
      t.match(mark?.schedule, { run: 'run-1', first: schedule.first, last: 30 });
      t.ok(Math.abs((mark?.schedule.every ?? 0) - schedule.every) < 1e-6);
    }
  }
});

t.test('an item is longer than its size rather than cut', async (t) => {
  t.equal(new MarkReader().read(markText(schedule, 7, 1))?.number, 7);
});

t.test('items of one run share its schedule; another run has another', async (t) => {
  const marks = new MarkReader();
  const first = marks.read(markText(schedule, 1, 100))?.schedule;
  t.equal(marks.read(markText(schedule, 2, 100))?.schedule, first);
  t.not(marks.read(markText({ ...schedule, run: 'run-2' }, 2, 100))?.schedule, first);
});

t.test('other text, and numbers that cannot be, are no items', async (t) => {
  const marks = new MarkReader();
  const text = markText(schedule, 1, 100);
  for (const other of [
    '',
    'data: hello',
    'holdfast-load/1 ',
    text.replace('/1 ', '/2 '),
    text.replace(' 30 ', ' 0 '),
    markText({ ...schedule, last: MAX_NUMBER + 1 }, 1, 100),
    markText({ ...schedule, every: 0 }, 1, 100),
    markText({ ...schedule, run: 'a'.repeat(81) }, 1, 200),
  ])
    t.equal(marks.read(other), undefined, other);
  t.equal(marks.read(text)?.number, 1);
});

t.test('items are due at equal distances', async (t) => {
  t.equal(dueOf(schedule, 1), schedule.first);
  t.equal(dueOf(schedule, 4), schedule.first + 1_000);
  t.equal(firstAfter(schedule, schedule.first - 5_000), 1);
  t.equal(firstAfter(schedule, schedule.first), 1);
  t.equal(firstAfter(schedule, schedule.first + 0.5), 2);
  t.equal(firstAfter(schedule, schedule.first + 999), 4);
});
