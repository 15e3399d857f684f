import fc from 'fast-check';
import t from 'tap';
import { extensionsNamed } from '../../dist/websocket/message-socket.js';

t.test('an extension is found by its name, with its parameters as they are written', async (t) => {
  const values = ['grip; message-prefix="a, b", permessage-deflate; x=1', ' Grip ;q, gripe, x-grip'];
  t.strictSame(extensionsNamed(values, 'grip'), ['grip; message-prefix="a, b"', 'Grip ;q']);
  t.strictSame(extensionsNamed(values, 'permessage-deflate'), ['permessage-deflate; x=1']);
  t.strictSame(extensionsNamed([], 'grip'), []);
});

t.test('what stands in quotes is never an extension', async (t) => {
  t.strictSame(extensionsNamed(['a; b="x, grip, y\\", grip"'], 'grip'), []);
  t.strictSame(extensionsNamed(['a; b="open, grip'], 'grip'), [], 'not even when they are not closed');
});

t.test('any text is taken apart without losing an extension before it', async (t) => {
  fc.assert(fc.property(fc.string(), (rest) => extensionsNamed([`grip, ${rest}`], 'grip')[0] === 'grip'));
  t.pass();
});
