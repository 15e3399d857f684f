import fc from 'fast-check';
import t from 'tap';
import { textFromWire, wireFromText } from '../../dist/index.js';
import { trimWire } from '../../dist/wire/text.js';

t.test('text goes into a header as its UTF-8 bytes, one character each', async (t) => {
  t.equal(wireFromText('room'), 'room');
  t.equal(wireFromText('é€'), '\xc3\xa9\xe2\x82\xac');
  t.equal(wireFromText('\ud800'), '\xef\xbf\xbd', 'a lone surrogate has no UTF-8 form');
});

t.test('header bytes are read as UTF-8 where they are UTF-8, as Latin-1 where they are not', async (t) => {
  t.equal(textFromWire('room'), 'room');
  t.equal(textFromWire('\xc3\xa9'), 'é');
  t.equal(textFromWire('\xe9'), 'é', 'not UTF-8');
  t.equal(textFromWire('€'), '€', 'not Latin-1 at all');
});

t.test('reading is the inverse of writing for any well-formed text', async () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => textFromWire(wireFromText(text)) === text));
});

t.test('only ASCII white space is trimmed from header bytes, never the byte A0 of a letter', async (t) => {
  t.equal(trimWire(' \t a b \r\n'), 'a b');
  t.equal(trimWire('   '), '');
  t.equal(trimWire(wireFromText(' à ')), wireFromText('à'));
});
