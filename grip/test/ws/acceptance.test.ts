import fc from 'fast-check';
import t from 'tap';
import { acceptBytes, closeEvent, contentBytes, parseBytesAccepted, type WsEvent } from '../../dist/index.js';
import { messageOf } from '../grip-error.js';

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
