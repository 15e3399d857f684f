/** The library's own parser within bounds: what is kept of a stanza, and what is said of it. */
import { MAX_STANZA_BYTES, MAX_STANZA_DEPTH } from '@holdfast/grip';
import t from 'tap';
import { boundedParser, STREAM_STANZA_MAX, type TooMuch } from '../../dist/xmpp/bounded-parser.js';
import { type LibraryElement, type LibraryParser, loadComponentLibrary } from '../../dist/xmpp/component-library.js';

/** Elements come with what was said just before. */
interface Heard {
  readonly xml: string;
  readonly why: TooMuch | undefined;
}

async function fixture() {
  const { component } = await loadComponentLibrary();
  const { Parser } = component({ service: 'xmpp://127.0.0.1:1', domain: 'push.example', password: 'x' });
  let cut: TooMuch | undefined;
  const Bounded = boundedParser(Parser, (why) => {
    cut = why;
  });
  const parser = new Bounded() as LibraryParser & { on(event: string, run: (value: unknown) => void): void };
  const heard: Heard[] = [];
  const errors: unknown[] = [];
  parser.on('element', (element) => {
    heard.push({ xml: (element as LibraryElement).toString(), why: cut });
    cut = undefined;
  });
  parser.on('error', (error) => errors.push(error));
  parser.write("<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>");
  return { parser, heard, errors };
}

const nested = (levels: number) => `<message>${'<a>'.repeat(levels - 1)}x${'</a>'.repeat(levels - 1)}</message>`;

t.test(
  'a stanza of so many levels is whole; of a deeper one the rest is passed over, and the next is whole again',
  async (t) => {
    const { parser, heard, errors } = await fixture();
    parser.write(nested(MAX_STANZA_DEPTH));
    parser.write(nested(20_000) + nested(2));
    t.strictSame(
      heard.map(({ why }) => why),
      [undefined, 'deep', undefined],
    );
    t.equal(heard[0]?.xml, nested(MAX_STANZA_DEPTH));
    t.equal(heard[1]?.xml.split('<a').length, MAX_STANZA_DEPTH);
    t.equal(heard[2]?.xml, nested(2));
    t.strictSame(errors, []);
  },
);

t.test('of a stanza that is too long the rest is passed over, be it elements or text', async (t) => {
  const { parser, heard, errors } = await fixture();
  const pieces = (one: string) => {
    parser.write("<message id='1'><body>first</body>");
    for (let bytes = 0; bytes < 3 * MAX_STANZA_BYTES; bytes += one.length) parser.write(one);
    parser.write('<body>last</body></message>');
  };
  pieces('<a>x</a>'.repeat(1_000));
  pieces('text '.repeat(1_000));
  parser.write('<presence/>');
  t.strictSame(
    heard.map(({ why }) => why),
    ['long', 'long', undefined],
  );
  for (const { xml } of heard) {
    t.ok(xml.length < 2 * MAX_STANZA_BYTES, String(xml.length));
    t.notMatch(xml.slice(-100), /last/);
  }
  t.match(heard[0]?.xml, /^<message id="1"><body>first<\/body>/);
  t.strictSame(errors, []);
});

t.test('a stanza that does not end is an error of the stream', async (t) => {
  const { parser, heard, errors } = await fixture();
  parser.write('<message>');
  for (let bytes = 0; bytes < STREAM_STANZA_MAX; bytes += 65_536) parser.write('x'.repeat(65_536));
  t.match(errors, [{ message: `a stanza of more than ${STREAM_STANZA_MAX} bytes` }]);
  t.strictSame(heard, []);
});
