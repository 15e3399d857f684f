import fc from 'fast-check';
import t from 'tap';
import { idEvent, isWhole, withId } from '../../dist/history/event-id.js';

const whole = (text: string) => isWhole(Buffer.from(text));
const marked = (text: string) => withId(Buffer.from(text), 'T')?.toString();

t.test('whole events end with a blank line, in any of the three ends of line', async (t) => {
  for (const end of ['\n\n', '\r\n\r\n', '\r\r', '\n\r\n', '\r\n\n', '\n\r', '\r\r\n']) {
    t.ok(whole(`data: x${end}`), JSON.stringify(end));
  }
  for (const text of ['', '\n', '\r\n', 'data: x', 'data: x\n', 'data: x\r\n', 'data: x\r', 'data: x\n\ndata: y']) {
    t.notOk(whole(text), JSON.stringify(text));
  }
});

t.test('the id goes into the last event', async (t) => {
  t.equal(marked('data: x\n\n'), 'data: x\nid: T\n\n');
  t.equal(marked('data: x\r\n\r\n'), 'data: x\r\nid: T\n\n');
  t.equal(marked('data: x\n\nevent: y\ndata: y\n\n'), 'data: x\n\nevent: y\ndata: y\nid: T\n\n');
});

t.test('events with ids of their own keep them: an event without data follows', async (t) => {
  for (const field of ['id: 7', 'id:7', 'id', 'id:']) {
    t.equal(marked(`${field}\ndata: x\n\n`), `${field}\ndata: x\n\nid: T\n\n`);
    t.equal(marked(`data: x\n${field}\n\n`), `data: x\n${field}\n\nid: T\n\n`);
  }
  t.equal(marked('identity: 7\ndata: id: 7\n\n'), 'identity: 7\ndata: id: 7\nid: T\n\n', 'other fields are not ids');
});

t.test('content that leaves an event open has no id', async (t) => {
  t.equal(marked('data: x'), undefined);
  t.equal(marked('data: x\n'), undefined);
});

t.test('property: an id changes no event but its id', async () => {
  const line = fc.constantFrom('data: a', 'data', 'event: e', ': comment', '', 'retry: 5', 'other: x');
  const end = fc.constantFrom('\n', '\r\n');
  const text = fc
    .array(
      fc.tuple(line, end).map((parts) => parts.join('')),
      { maxLength: 8 },
    )
    .map((parts) => parts.join(''));
  /** What scripts see, by the rules of WHATWG HTML §9.2.6. */
  const events = (content: string) => {
    const seen: string[] = [];
    let type = '';
    let data: string[] = [];
    for (const line of content.split(/\r\n|\n|\r/).slice(0, -1)) {
      const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
      if (line === '') {
        if (data.length > 0) seen.push(`${type} ${data.join('|')}`);
        type = '';
        data = [];
      } else if (name === 'event') type = value;
      else if (name === 'data') data.push(value);
    }
    return seen.join('\n');
  };
  fc.assert(
    fc.property(text, (content) => {
      const with_ = marked(content);
      return with_ === undefined || events(with_) === events(content);
    }),
  );
});

t.test('an id alone is an event without data', async (t) => {
  t.equal(idEvent('T').toString(), 'id: T\n\n');
});
