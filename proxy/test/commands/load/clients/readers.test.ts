import fc from 'fast-check';
import t from 'tap';
import { EventReader, LineReader, MAX_TEXT, WholeReader } from '../../../../dist/commands/load/clients/readers.js';
import { MarkReader, markText } from '../../../../dist/commands/load/mark.js';

const schedule = { run: 'run-1', first: 1_000, every: 10, last: 100 };
const item = (number: number) => markText(schedule, number, 90);

function reading(Kind: typeof EventReader | typeof LineReader | typeof WholeReader) {
  const numbers: number[] = [];
  const reader = new Kind(new MarkReader(), ({ number }) => numbers.push(number));
  return { numbers, reader };
}

t.test('events and lines are found however the text is cut', async (t) => {
  const events = `:\n\nid: a\ndata: ${item(1)}\n\nevent: x\r\ndata:${item(2)}\r\nid: b\r\n\r\nretry: 20\n\ndata: ${item(3)}\n\n`;
  const lines = `[open]\n${item(1)}\n${item(2)}\r\n\n${item(3)}\n`;
  const check = () =>
    fc.assert(
      fc.property(fc.array(fc.nat(events.length), { maxLength: 12 }), (cuts) => {
        for (const [Kind, text] of [
          [EventReader, events],
          [LineReader, lines],
        ] as const) {
          const { numbers, reader } = reading(Kind);
          const places = [0, ...cuts.filter((at) => at < text.length).sort((a, b) => a - b), text.length];
          for (let i = 1; i < places.length; i++) reader.read(text.slice(places[i - 1], places[i]));
          if (numbers.join() !== '1,2,3') throw new Error(`${Kind.name}: ${numbers}`);
          if (Kind === EventReader && (reader.lastId !== 'b' || reader.retry !== 20)) throw new Error(reader.lastId);
        }
      }),
    );
  t.doesNotThrow(check);
});

t.test('an event that breaks off counts no more than its id', async (t) => {
  const { numbers, reader } = reading(EventReader);
  reader.read(`id: 1\ndata: ${item(1)}\n\nid: 2\ndata: ${item(2)}\n`);
  t.same(numbers, [1]);
  t.equal(reader.lastId, '1');
  reader.restart();
  reader.read(`\ndata: ${item(2)}\nid: 2\n\n`);
  t.same(numbers, [1, 2]);
  t.equal(reader.lastId, '2');
});

t.test('an event without data has an id too; one with NUL is none', async (t) => {
  const { reader } = reading(EventReader);
  reader.read('id: 7\n\nid: \0\n\n');
  t.equal(reader.lastId, '7');
  reader.read('id\n\nid:\n\n');
  t.equal(reader.lastId, '', 'an empty one takes it back');
});

t.test('a line of more than is kept is left out, and what follows is read', async (t) => {
  for (const Kind of [EventReader, LineReader]) {
    const { numbers, reader } = reading(Kind);
    const half = 'x'.repeat(MAX_TEXT / 2 + 1);
    for (const text of [half, half, half, `${item(1)}\n\n`]) reader.read(text);
    reader.read(`data: ${item(2)}\n\n`);
    t.same(numbers, [2]);
  }
});

t.test('bodies and messages are read whole, one after the other', async (t) => {
  const { numbers, reader } = reading(WholeReader);
  for (const text of [`${item(1)}\n`, 'nothing new\n', item(2), `${item(3)}\n${item(4)}\n`]) reader.read(text);
  t.same(numbers, [1, 2, 3, 4]);
});
