import fc from 'fast-check';
import t from 'tap';
import { encodeWsEvents, MAX_WS_EVENTS, parseWsEvents, type WsEvent } from '../../dist/index.js';
import type { WsEventType } from '../../dist/ws/events.js';
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
