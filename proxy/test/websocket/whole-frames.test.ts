/** Messages that come whole in one frame: that they are read as by the library, and nothing else is. */
import type { Writable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import * as library from 'ws';
import { frameOf } from '../../dist/websocket/message-socket.js';
import { readingWholeFrames, readWholeFrame } from '../../dist/websocket/whole-frames.js';

/** What the library reads frames with, which it does not declare. */
const { Receiver } = library as unknown as { Receiver: new (options: object) => Writable };

/** What the library, and nobody else, makes of these bytes: the content of each message, its kind, and whether it fails. */
function byLibrary(parts: readonly Buffer[], isServer: boolean): unknown[] {
  const events: unknown[] = [];
  const receiver = new Receiver({ isServer, maxPayload: 1_000 });
  for (const name of ['message', 'ping', 'pong', 'conclude', 'error']) {
    receiver.on(name, (...about: unknown[]) => events.push([name, ...about.map(String)]));
  }
  for (const part of parts) receiver.write(Buffer.from(part));
  return events;
}

const pieces = (isServer: boolean) => {
  const frame = fc
    .tuple(fc.constantFrom('text', 'binary', 'ping', 'pong'), fc.uint8Array({ maxLength: 130 }))
    .map(([type, data]) => frameOf(type as 'text', Buffer.from(data), isServer));
  const text = fc.string({ maxLength: 140 }).map((content) => frameOf('text', Buffer.from(content), isServer));
  const changed = fc.tuple(text, fc.nat(8), fc.nat(255)).map(([bytes, at, value]) => {
    bytes[at % bytes.length] = value;
    return bytes;
  });
  const cut = fc.tuple(text, fc.nat(20)).map(([bytes, count]) => bytes.subarray(0, Math.max(1, bytes.length - count)));
  const close = fc.constant(frameOf('text', Buffer.from('\x03\xe8', 'latin1'), isServer)).map((bytes) => {
    bytes[0] = 0x88;
    return bytes;
  });
  return fc.oneof({ weight: 6, arbitrary: text }, frame, changed, cut, close);
};

for (const isServer of [false, true]) {
  const what = isServer ? 'a client' : 'a server';
  t.test(`what is read of ${what} is what the library reads`, async (t) => {
    let taken = 0;
    fc.assert(
      fc.property(pieces(isServer), (bytes) => {
        const before = Buffer.from(bytes);
        const frame = readWholeFrame(bytes, isServer);
        t.ok(bytes.equals(before), 'the bytes stay as they came');
        if (frame === undefined) return;
        taken++;
        t.strictSame(byLibrary([bytes], isServer), [['message', String(frame.data), String(frame.isBinary)]]);
      }),
      { numRuns: 2_000 },
    );
    t.ok(taken > 200, `${taken} were read`);
  });
}

t.test('not read: two frames, a fragment, a control frame, a frame of the other side', async (t) => {
  const frame = frameOf('text', Buffer.from('abc'), false);
  t.ok(readWholeFrame(frame, false));
  t.equal(readWholeFrame(frame, true), undefined);
  t.equal(readWholeFrame(frameOf('text', Buffer.from('abc'), true), false), undefined);
  t.equal(readWholeFrame(Buffer.concat([frame, frame]), false), undefined);
  t.equal(readWholeFrame(Buffer.concat([frame, Buffer.from([0x81])]), false), undefined);
  for (const first of [0x01, 0x80, 0x00, 0xc1, 0xa1, 0x91, 0x83, 0x88, 0x89, 0x8a]) {
    t.equal(readWholeFrame(Buffer.concat([Buffer.from([first]), frame.subarray(1)]), false), undefined, String(first));
  }
  t.equal(readWholeFrame(frameOf('text', Buffer.from([0xff, 0xfe]), false), false), undefined, 'text that is none');
  t.equal(readWholeFrame(frameOf('binary', Buffer.alloc(16_384), false), false), undefined, 'a long one');
  t.end();
});

t.test('with it the library reports the same, in any parts', async (t) => {
  const parts = fc.array(pieces(false), { maxLength: 6 });
  const sequences = fc.sample(parts, 400);
  const expected = sequences.map((sequence) => byLibrary(sequence, false));
  readingWholeFrames(new Receiver({}));
  readingWholeFrames(new Receiver({}));
  for (const [i, sequence] of sequences.entries()) t.strictSame(byLibrary(sequence, false), expected[i]);
});
