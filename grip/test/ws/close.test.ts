import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import t from 'tap';
import { closeEvent, fitCloseReason, isSendableCloseCode, readClose } from '../../dist/index.js';
import { MAX_CLOSE_REASON } from '../../dist/ws/close.js';

const none = Buffer.alloc(0);

t.test('RFC 6455 §7.4: only defined, registered and private codes go into a close frame', async (t) => {
  const sendable = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
  const others = [
    -1,
    0,
    1,
    999,
    1004,
    1005,
    1006,
    1015,
    1016,
    1100,
    2000,
    2999,
    5000,
    65535,
    65536,
    1000.5,
    Number.NaN,
  ];
  for (const code of sendable) t.equal(isSendableCloseCode(code), true, `${code}`);
  for (const code of others) t.equal(isSendableCloseCode(code), false, `${code}`);
});

t.test('a close event is the code in network order and the reason', async (t) => {
  t.same(closeEvent(4001, Buffer.from('bye')), { type: 'CLOSE', content: Buffer.from('\x0f\xa1bye', 'latin1') });
  t.same(closeEvent(1000), { type: 'CLOSE', content: Buffer.from([0x03, 0xe8]) });
});

t.test('a close without a sendable code has no content, whatever its reason', async (t) => {
  for (const code of [undefined, 0, 1005, 1006, 2999, 70000]) {
    t.same(closeEvent(code, Buffer.from('bye')), { type: 'CLOSE' }, `${code}`);
  }
});

t.test('the code and reason of a close event are read', async (t) => {
  t.same(readClose(Buffer.from('\x0f\xa1bye', 'latin1')), { code: 4001, reason: Buffer.from('bye') });
  t.same(readClose(Buffer.from([0x03, 0xe8])), { code: 1000, reason: none });
});

t.test(
  'absent, empty and one-byte content, and code 0 as serve-grip sends it, are a close without a code',
  async (t) => {
    for (const content of [
      undefined,
      none,
      Buffer.from([3]),
      Buffer.from([0, 0]),
      Buffer.from('\x00\x00no', 'latin1'),
    ]) {
      t.same(readClose(content), { reason: none });
    }
  },
);

t.test('a reason is cut to 123 bytes between two characters', async (t) => {
  t.equal(fitCloseReason(Buffer.alloc(123, 'a')).length, 123);
  t.equal(fitCloseReason(Buffer.alloc(124, 'a')).length, 123);
  t.equal(fitCloseReason(Buffer.from('ž'.repeat(62))).toString(), 'ž'.repeat(61));
  t.equal(fitCloseReason(Buffer.from(`a${'ž'.repeat(62)}`)).toString(), `a${'ž'.repeat(61)}`);
  t.equal(fitCloseReason(Buffer.from(`${'a'.repeat(120)}😀`)).toString(), 'a'.repeat(120));
  t.equal(closeEvent(1000, Buffer.alloc(200, 'a')).content?.length, 125);
  t.equal(readClose(Buffer.concat([Buffer.from([3, 232]), Buffer.alloc(200, 'a')])).reason.length, 123);
});

t.test('RFC 6455 §8.1: a reason that is not UTF-8 is left out, the code stays', async (t) => {
  t.same(closeEvent(1000, Buffer.from([0xff])), { type: 'CLOSE', content: Buffer.from([0x03, 0xe8]) });
  t.same(readClose(Buffer.from([0x03, 0xe8, 0xff])), { code: 1000, reason: none });
});

t.test(
  'any reason that is UTF-8 gives one that fits and that it begins with, missing at most one character',
  async (t) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 150 }), (text) => {
        const reason = Buffer.from(text);
        const fitted = fitCloseReason(reason);
        t.ok(isUtf8(fitted) && fitted.length <= MAX_CLOSE_REASON && reason.subarray(0, fitted.length).equals(fitted));
        t.ok(fitted.length >= Math.min(reason.length, MAX_CLOSE_REASON - 3));
      }),
    );
  },
);

t.test('any content is read as something that can be sent, and sent again reads the same', async (t) => {
  const contents = fc
    .tuple(fc.integer({ min: 0, max: 5100 }), fc.uint8Array({ maxLength: 140 }))
    .map(([code, rest]) => {
      const content = Buffer.concat([Buffer.alloc(2), rest]);
      content.writeUInt16BE(code);
      return content;
    });
  fc.assert(
    fc.property(contents, (content) => {
      const close = readClose(content);
      t.ok(close.code === undefined ? close.reason.length === 0 : isSendableCloseCode(close.code));
      t.same(readClose(closeEvent(close.code, close.reason).content), close);
    }),
  );
});
