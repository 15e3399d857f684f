import type { Writable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import * as library from 'ws';
import { extensionsNamed, frameOf } from '../../dist/websocket/message-socket.js';

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

/** What the library reads frames with, which it does not declare. */
const { Receiver } = library as unknown as { Receiver: new (options: object) => Writable };

for (const isMasked of [false, true]) {
  t.test(
    `a ${isMasked ? 'masked' : 'plain'} frame of each length is read as the message that it was made of`,
    async (t) => {
      for (const length of [0, 1, 2, 3, 4, 5, 125, 126, 127, 255, 256, 16_384, 65_535]) {
        for (const type of ['text', 'binary'] as const) {
          const data = Buffer.alloc(length, 'abcdefg');
          const frame = frameOf(type, data, isMasked);
          const receiver = new Receiver({ isServer: isMasked });
          const received: unknown[] = [];
          receiver.on('message', (content: Buffer, isBinary: boolean) => received.push(content.toString(), isBinary));
          receiver.on('error', (error) => t.error(error));
          receiver.write(frame);
          t.strictSame(received, [data.toString(), type === 'binary'], `${type} of ${length}`);
          t.equal(data.toString(), Buffer.alloc(length, 'abcdefg').toString(), 'the content stays as it is');
        }
      }
    },
  );
}

t.test('masks differ from frame to frame, also when new ones are made', async (t) => {
  const masks = new Set<string>();
  for (let i = 0; i < 5_000; i++) masks.add(frameOf('text', Buffer.from('a'), true).toString('hex', 2, 6));
  t.ok(masks.size > 4_900, `${masks.size} of 5,000`);
});
