import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import t from 'tap';
import {
  acceptBytes,
  closeEvent,
  contentBytes,
  encodeWsEvents,
  fitCloseReason,
  isSendableCloseCode,
  MAX_WS_EVENTS,
  parseBytesAccepted,
  parseWsEvents,
  readClose,
  type WsEvent,
} from '../../dist/index.js';
import { MAX_CLOSE_REASON, type WsEventType } from '../../dist/ws/events.js';
import { messageOf, valueOrGripError } from '../grip-error.js';

const types: readonly WsEventType[] = ['OPEN', 'TEXT', 'BINARY', 'PING', 'PONG', 'CLOSE', 'DISCONNECT'];

t.test('an event is its type and, with content, the length in lower-case hex', async (t) => {
  const events: WsEvent[] = [
    { type: 'OPEN' },
    { type: 'TEXT', content: Buffer.from('žž') },
    { type: 'BINARY', content: Buffer.alloc(0xab, 'x') },
    { type: 'PING' },
    { type: 'CLOSE', content: Buffer.from([0x03, 0xe8]) },
  ];
  t.equal(
    encodeWsEvents(events).toString('latin1'),
    `OPEN\r\nTEXT 4\r\n\xc5\xbe\xc5\xbe\r\nBINARY ab\r\n${'x'.repeat(0xab)}\r\nPING\r\nCLOSE 2\r\n\x03\xe8\r\n`,
  );
});

t.test('an empty message is written without a length, like one without content', async (t) => {
  t.equal(encodeWsEvents([{ type: 'TEXT', content: Buffer.alloc(0) }]).toString(), 'TEXT\r\n');
  t.equal(encodeWsEvents([{ type: 'TEXT' }]).toString(), 'TEXT\r\n');
});

t.test('as many events as may be are read, and one more is refused, of whatever type', async (t) => {
  t.equal(parseWsEvents(Buffer.from('TEXT\r\n'.repeat(MAX_WS_EVENTS))).length, MAX_WS_EVENTS);
  const message = messageOf('ERR_GRIP_WS_EVENTS', () => parseWsEvents(Buffer.from('X\r\n'.repeat(MAX_WS_EVENTS + 1))));
  t.equal(message, `more than ${MAX_WS_EVENTS} events`);
});

t.test('no events are an empty body, both ways', async (t) => {
  t.equal(encodeWsEvents([]).length, 0);
  t.same(parseWsEvents(Buffer.alloc(0)), []);
});

t.test('a length may be hex of either case, with zeros in front and spaces around', async (t) => {
  for (const length of ['b', 'B', '0000000000000000000b', ' b ']) {
    t.same(parseWsEvents(Buffer.from(`TEXT ${length}\r\nhello world\r\n`)), [
      { type: 'TEXT', content: Buffer.from('hello world') },
    ]);
  }
});

t.test('a length of zero is empty content; no length is none', async (t) => {
  t.same(parseWsEvents(Buffer.from('TEXT 0\r\n\r\nTEXT\r\nCLOSE\r\n')), [
    { type: 'TEXT', content: Buffer.alloc(0) },
    { type: 'TEXT' },
    { type: 'CLOSE' },
  ]);
});

t.test('content may hold CRLF and what looks like an event', async (t) => {
  const content = Buffer.from('OPEN\r\nTEXT 1\r\n');
  t.same(parseWsEvents(encodeWsEvents([{ type: 'BINARY', content }, { type: 'PONG' }])), [
    { type: 'BINARY', content },
    { type: 'PONG' },
  ]);
});

t.test('events of an unknown type are left out, with their content', async (t) => {
  t.same(parseWsEvents(Buffer.from('OPEN\r\nACK 6\r\nOPEN\r\n\r\nopen\r\n\r\n__proto__\r\nTEXT 1\r\na\r\n')), [
    { type: 'OPEN' },
    { type: 'TEXT', content: Buffer.from('a') },
  ]);
});

t.test('a body that is not framed right is an error of the origin, as a whole', async (t) => {
  const table: [string, string][] = [
    ['OPEN', 'event line without CRLF: "OPEN" at byte 0'],
    ['OPEN\r\nTEXT', 'event line without CRLF: "TEXT" at byte 6'],
    ['OPEN\n', 'event line without CRLF: "OPEN\\n" at byte 0'],
    ['TEXT 2\r', 'event line without CRLF: "TEXT 2\\r" at byte 0'],
    ['TEXT \r\n', 'event length is not a hex number: "TEXT " at byte 0'],
    ['TEXT g\r\n', 'event length is not a hex number: "TEXT g" at byte 0'],
    ['TEXT -1\r\n', 'event length is not a hex number: "TEXT -1" at byte 0'],
    ['TEXT 0x1\r\na\r\n', 'event length is not a hex number: "TEXT 0x1" at byte 0'],
    ['TEXT 1 1\r\na\r\n', 'event length is not a hex number: "TEXT 1 1" at byte 0'],
    ['TEXT 5\r\nabc', 'event length goes beyond the body: "TEXT 5" at byte 0'],
    ['TEXT 4\r\nabc', 'event length goes beyond the body: "TEXT 4" at byte 0'],
    ['TEXT ffffffffffffffffffff\r\na\r\n', 'event length goes beyond the body: "TEXT ffffffffffffffffffff" at byte 0'],
    ['WHAT 5\r\nabc\r\n', 'event content not followed by CRLF: "WHAT 5" at byte 0'],
    ['TEXT 3\r\nabc', 'event content not followed by CRLF: "TEXT 3" at byte 0'],
    ['TEXT 3\r\nabc\r', 'event content not followed by CRLF: "TEXT 3" at byte 0'],
    ['TEXT 2\r\nabc\r\n', 'event content not followed by CRLF: "TEXT 2" at byte 0'],
  ];
  for (const [body, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_WS_EVENTS', () => parseWsEvents(Buffer.from(body))),
      message,
      JSON.stringify(body),
    );
  }
});

t.test('a length of more digits than a number holds goes beyond the body', async (t) => {
  const message = messageOf('ERR_GRIP_WS_EVENTS', () => parseWsEvents(Buffer.from(`TEXT ${'f'.repeat(5000)}\r\n`)));
  t.match(message, /^event length goes beyond the body/);
  t.ok(message.length < 120, 'and the error quotes only the beginning');
});

const events = fc.array(
  fc.record({ type: fc.constantFrom(...types), content: fc.uint8Array({ maxLength: 300 }).map((a) => Buffer.from(a)) }),
);

t.test('written events are read back, empty content as none', async (t) => {
  fc.assert(
    fc.property(events, (list) => {
      const expected = list.map(({ type, content }) => (content.length > 0 ? { type, content } : { type }));
      t.same(parseWsEvents(encodeWsEvents(list)), expected);
    }),
  );
});

t.test('arbitrary bytes are events or an error', async (t) => {
  const syntax = fc.array(fc.constantFrom('TEXT', 'CLOSE', 'X', ' ', '\r\n', '\r', '\n', '0', '2', 'a', 'F', '-'));
  const bodies = fc.oneof(
    fc.uint8Array().map((array) => Buffer.from(array)),
    syntax.map((parts) => Buffer.from(parts.join(''))),
  );
  fc.assert(
    fc.property(bodies, (body) => {
      const parsed = valueOrGripError('ERR_GRIP_WS_EVENTS', () => parseWsEvents(body));
      if (!parsed) return;
      t.ok(parsed.every(({ type }) => types.includes(type)));
      t.ok(encodeWsEvents(parsed).length <= body.length, 'nothing is in the events that was not in the body');
    }),
  );
});

t.test('a body cut anywhere but between two events is an error', async (t) => {
  const list: WsEvent[] = [{ type: 'OPEN' }, { type: 'TEXT', content: Buffer.from('a\r\nb') }, { type: 'PING' }];
  const body = encodeWsEvents(list);
  const ends = list.map((_, i) => encodeWsEvents(list.slice(0, i)).length);
  for (let length = 0; length < body.length; length++) {
    const parsed = valueOrGripError('ERR_GRIP_WS_EVENTS', () => parseWsEvents(body.subarray(0, length)));
    t.equal(parsed !== undefined, ends.includes(length), `${length} bytes`);
  }
});

t.test('a body may have 50,000 events and no more, known or not', async (t) => {
  t.equal(parseWsEvents(Buffer.from('TEXT\r\n'.repeat(MAX_WS_EVENTS))).length, MAX_WS_EVENTS);
  for (const line of ['TEXT\r\n', '\r\n']) {
    t.throws(() => parseWsEvents(Buffer.from(line.repeat(MAX_WS_EVENTS + 1))), {
      code: 'ERR_GRIP_WS_EVENTS',
      message: 'more than 50000 events',
    });
  }
});

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

const text = (content: string): WsEvent => ({ type: 'TEXT', content: Buffer.from(content) });
const close = closeEvent(1000, Buffer.from('bye'));

t.test('content bytes are those of all events, without their framing', async (t) => {
  t.equal(contentBytes([]), 0);
  t.equal(contentBytes([{ type: 'OPEN' }, text('ab'), text(''), { type: 'PING', content: Buffer.from('c') }]), 3);
  t.equal(contentBytes([text('ab'), close]), 7);
});

t.test('Content-Bytes-Accepted is a whole number from 0; anything else is as if absent', async (t) => {
  t.equal(parseBytesAccepted('12'), 12);
  t.equal(parseBytesAccepted(' 0 '), 0);
  for (const header of [undefined, '', '-1', '1.5', '0x1', 'all', '99999999999']) {
    t.equal(parseBytesAccepted(header), undefined, header ?? 'absent');
  }
});

t.test('without Content-Bytes-Accepted everything is accepted', async (t) => {
  t.same(acceptBytes([text('ab'), { type: 'PING' }, close]), { consumed: 3, remaining: [], replayed: 0 });
  t.same(acceptBytes([]), { consumed: 0, remaining: [], replayed: 0 });
});

t.test('the rest of a message accepted in part stays, with its type', async (t) => {
  t.same(acceptBytes([text('[foo][hello')], 5), { consumed: 0, remaining: [text('[hello')], replayed: 6 });
  const binary: WsEvent = { type: 'BINARY', content: Buffer.from([1, 2, 3]) };
  t.same(acceptBytes([text('ab'), binary, text('c')], 3), {
    consumed: 1,
    remaining: [{ type: 'BINARY', content: Buffer.from([2, 3]) }, text('c')],
    replayed: 3,
  });
});

t.test('nothing accepted leaves everything', async (t) => {
  t.same(acceptBytes([text('ab'), text('')], 0), { consumed: 0, remaining: [text('ab'), text('')], replayed: 2 });
});

t.test('an event without content is accepted with what precedes it', async (t) => {
  const ping: WsEvent = { type: 'PING' };
  t.same(acceptBytes([ping, text('ab'), text(''), ping, text('c')], 2), {
    consumed: 4,
    remaining: [text('c')],
    replayed: 1,
  });
  t.same(acceptBytes([text(''), text('c')], 0), { consumed: 1, remaining: [text('c')], replayed: 1 });
  t.same(acceptBytes([{ type: 'OPEN' }], 0), { consumed: 1, remaining: [], replayed: 0 });
});

t.test('more than was offered cannot be accepted', async (t) => {
  const message = messageOf('ERR_GRIP_WS_EVENTS', () => acceptBytes([text('ab')], 3));
  t.equal(message, '3 content bytes accepted of 2');
  messageOf('ERR_GRIP_WS_EVENTS', () => acceptBytes([{ type: 'OPEN' }], 1));
  messageOf('ERR_GRIP_WS_EVENTS', () => acceptBytes([text('ab')], -1));
  messageOf('ERR_GRIP_WS_EVENTS', () => acceptBytes([text('ab')], Number.NaN));
});

t.test('a CLOSE waits for the messages before it and is no replayed content', async (t) => {
  t.same(acceptBytes([text('ab'), close], 1), { consumed: 0, remaining: [text('b'), close], replayed: 1 });
  t.same(acceptBytes([text('ab'), { type: 'CLOSE' }], 1).remaining, [text('b'), { type: 'CLOSE' }]);
});

t.test('an origin that accepts all messages before a CLOSE must accept it too', async (t) => {
  t.same(acceptBytes([text('ab'), close], 7), { consumed: 2, remaining: [], replayed: 0 });
  t.same(acceptBytes([text('ab'), { type: 'CLOSE' }], 2), { consumed: 2, remaining: [], replayed: 0 });
  for (const [events, accepted] of [
    [[text('ab'), close], 2],
    [[text('ab'), close], 4],
    [[close], 0],
  ] as const) {
    t.match(
      messageOf('ERR_GRIP_WS_EVENTS', () => acceptBytes(events, accepted)),
      /^all content before CLOSE accepted, but \d bytes of CLOSE itself$/,
    );
  }
});

t.test('any sequence of acceptances takes each content byte and each event once, in order', async (t) => {
  const messages = fc.record({
    type: fc.constantFrom('TEXT' as const, 'BINARY' as const, 'PING' as const),
    content: fc.uint8Array({ maxLength: 6 }).map((array) => Buffer.from(array)),
  });
  // Each round offers what remains and some new messages, and a share of it is accepted.
  const rounds = fc.array(fc.tuple(fc.array(messages, { maxLength: 4 }), fc.double({ min: 0, max: 1, noNaN: true })));
  fc.assert(
    fc.property(rounds, (list) => {
      let pending: readonly WsEvent[] = [];
      const taken: Buffer[] = [];
      let consumed = 0;
      for (const [added, share] of [...list, [[], 1] as const]) {
        const offered: readonly WsEvent[] = [...pending, ...added];
        const accepted = Math.round(contentBytes(offered) * share);
        const result = acceptBytes(offered, accepted);
        t.equal(result.replayed, contentBytes(offered) - accepted);
        t.same(
          result.remaining.map(({ type }) => type),
          offered.slice(result.consumed).map(({ type }) => type),
        );
        taken.push(Buffer.concat(offered.map(({ content }) => content ?? Buffer.alloc(0))).subarray(0, accepted));
        consumed += result.consumed;
        pending = result.remaining;
      }
      const sent = list.flatMap(([added]) => added);
      t.same(pending, []);
      t.equal(consumed, sent.length);
      t.ok(Buffer.concat(taken).equals(Buffer.concat(sent.map(({ content }) => content))));
    }),
  );
});
