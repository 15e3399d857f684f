import type { WsEvent } from '@holdfast/grip';
import t from 'tap';
import { QUEUE_MARGIN } from '../../../dist/sessions/over-http/queue.js';
import { settled, until } from '../../kit/until.js';
import { accept, EVENTS, event, type Reply, reply } from './events-server.js';
import { dial, held, inTurn, open, shorts } from './origin-fixture.js';

const NOTHING = Buffer.alloc(0);

/** In bytes, with what a GRIP origin may add to the longest message. */
const MESSAGE_MAX = 1_000_000 + 1_024;

t.test('ends', async (t) => {
  t.test('the origin’s CLOSE is answered with the same, after what the client had sent', async (t) => {
    const first = held();
    const { server, say, recorder } = await open(t, (_, index) => (index === 1 ? first.reply : reply()));
    say('a');
    await server.requests(2);
    say('b');
    first.give(reply([event('CLOSE', Buffer.from([0x0f, 0xa1, 0x78])), event('TEXT', 'never')]));
    t.equal(await recorder.saw('closed'), 'closed 4001 x');
    t.same((await server.requests(3))[2]?.short, ['TEXT b', 'CLOSE \u000f\ufffdx']);
    t.equal(await settled(() => server.seen.length), 3);
    t.same(recorder.texts, []);
  });

  for (const code of [0, 999, 1005, 1006, 1015, 2999, 5000]) {
    t.test(`a CLOSE with code ${code} is one without`, async (t) => {
      const content = Buffer.from([code >> 8, code & 0xff, 0x78]);
      const { server, say, recorder } = await open(t, inTurn(reply([event('CLOSE', content)])));
      say('a');
      t.equal(await recorder.saw('closed'), 'closed -');
      t.same((await server.requests(3))[2]?.short, ['CLOSE']);
    });
  }

  t.test('the client’s CLOSE is the last request; what its answer says is heard, up to a CLOSE', async (t) => {
    const close = reply([event('TEXT', 'last'), event('CLOSE', Buffer.from([0x0f, 0xa3])), event('TEXT', 'never')]);
    const { server, say, socket, recorder, clock } = await open(
      t,
      () => close,
      accept([], ['Keep-Alive-Interval', '20']),
    );
    say('a');
    socket.close(4002, Buffer.from('x'));
    t.same((await server.requests(2))[1]?.short, ['TEXT a', 'CLOSE \u000f\ufffdx']);
    t.equal(await recorder.saw('closed'), 'closed 4003');
    t.same(recorder.texts, ['text last']);
    t.equal(await settled(() => server.seen.length), 2);
    t.same(recorder.ends, ['accepted', 'closed 4003']);
    t.equal(clock.pending, 0);
  });

  t.test('an origin that takes the client’s CLOSE and sends none has closed with the same', async (t) => {
    const { server, say, socket, recorder } = await open(t, () => reply([event('TEXT', 'last')]));
    say('a');
    socket.close(4002, Buffer.from('x'));
    t.equal(await recorder.saw('closed'), 'closed 4002 x');
    t.same(recorder.texts, ['text last']);
    t.equal(await settled(() => server.seen.length), 2);
  });

  t.test('what answers an earlier request is heard, and the client’s CLOSE still goes out', async (t) => {
    const first = held();
    const { server, say, socket, recorder } = await open(t, (_, index) => (index === 1 ? first.reply : reply()));
    say('a');
    await server.requests(2);
    socket.close(4002, Buffer.from('x'));
    first.give(reply([event('TEXT', 'b'), event('CLOSE', Buffer.from([0x0f, 0xa3]))]));
    t.equal(await recorder.saw('closed'), 'closed 4003');
    t.same(recorder.texts, ['text b']);
    t.same((await server.requests(3))[2]?.short, ['CLOSE \u000f\ufffdx']);
  });

  t.test('a failure of the last request is heard too, and nothing more is sent', async (t) => {
    const { server, say, socket, recorder } = await open(t, () => ({ status: 500, body: 'boom' }));
    say('a');
    socket.close(4002, Buffer.from('x'));
    t.equal(await recorder.saw('lost'), 'lost ERR_ORIGIN_MALFORMED');
    t.equal(await settled(() => server.seen.length), 2);
  });

  t.test('an abort behind the client’s CLOSE silences the socket; the CLOSE still goes out', async (t) => {
    const first = held();
    const { server, say, socket, recorder } = await open(t, (_, index) => (index === 1 ? first.reply : reply()));
    say('a');
    await server.requests(2);
    socket.close(4002, Buffer.from('x'));
    socket.abort();
    first.give(reply([event('TEXT', 'b')]));
    t.same((await server.requests(3))[2]?.short, ['CLOSE \u000f\ufffdx']);
    t.equal(await settled(() => server.seen.length), 3);
    t.same(recorder.ends, ['accepted']);
    t.same(recorder.texts, []);
  });

  for (const [says, events, end] of [
    ['DISCONNECT', [event('TEXT', 'a'), event('DISCONNECT')], 'lost ERR_ORIGIN_CLOSED'],
    ['a second OPEN', [event('TEXT', 'a'), event('OPEN')], 'lost ERR_ORIGIN_CLOSED'],
    ['a ping of 126 bytes', [event('TEXT', 'a'), event('PING', 'x'.repeat(126))], 'lost ERR_ORIGIN_MALFORMED'],
    ['a pong of 126 bytes', [event('TEXT', 'a'), event('PONG', 'x'.repeat(126))], 'lost ERR_ORIGIN_MALFORMED'],
    ['a text that is not UTF-8', [event('TEXT', 'a'), event('TEXT', Buffer.from([0xff]))], 'lost ERR_ORIGIN_MALFORMED'],
    [
      'too long a message',
      [event('TEXT', 'a'), event('BINARY', Buffer.alloc(MESSAGE_MAX + 1))],
      'lost ERR_ORIGIN_MALFORMED',
    ],
  ] as [string, WsEvent[], string][]) {
    t.test(`${says} ends the session, after what came before`, async (t) => {
      const { server, say, recorder } = await open(t, inTurn(reply(events)));
      say('go');
      t.equal(await recorder.saw('lost'), end);
      t.same(recorder.texts, ['text a']);
      // An origin that has said itself that the session is over needs no DISCONNECT; one that made a mistake is.
      const isNotified = end === 'lost ERR_ORIGIN_MALFORMED';
      if (isNotified) t.same((await server.requests(3))[2]?.short, ['DISCONNECT']);
      t.equal(await settled(() => server.seen.length), isNotified ? 3 : 2, 'nothing more is sent');
    });
  }

  for (const [says, answer] of [
    ['an error status', { status: 500, body: 'boom' }],
    ['another media type', { headers: ['Content-Type', 'text/plain'], body: '' }],
    ['events that cannot be parsed', { headers: ['Content-Type', EVENTS], body: 'TEXT zz\r\n' }],
    ['an answer beyond its limit', { headers: ['Content-Type', EVENTS], body: Buffer.alloc(3_000_001, 'x') }],
  ] as [string, Reply][]) {
    t.test(`${says} ends the session and is not repeated`, async (t) => {
      const { server, say, recorder, clock } = await open(t, () => answer);
      say('go');
      t.equal(await recorder.saw('lost'), 'lost ERR_ORIGIN_MALFORMED');
      t.same((await server.requests(3))[2]?.short, ['DISCONNECT'], 'the origin is notified');
      t.equal(await settled(() => server.seen.length), 3);
      t.equal(clock.pending, 0);
    });
  }

  t.test('an abort gives up the request under way and tells the origin with a DISCONNECT', async (t) => {
    const { server, say, socket, recorder } = await open(t, (_, index) => (index === 1 ? undefined : { status: 500 }));
    say('a');
    await server.requests(2);
    say('b');
    socket.abort();
    t.same((await server.requests(3))[2]?.short, ['DISCONNECT']);
    await until('the connection cut', () => server.abandoned === 1);
    t.equal(await settled(() => server.seen.length), 3);
    t.same(recorder.ends, ['accepted']);
  });

  t.test('an abort during OPEN waits for its answer: DISCONNECT follows an acceptance only', async (t) => {
    for (const [answer, expected] of [
      [accept([event('TEXT', 'x')]), [['OPEN'], ['DISCONNECT']]],
      [reply([], ['Keep-Alive-Interval', '20']), [['OPEN'], ['DISCONNECT']]],
      [{ status: 403 }, [['OPEN']]],
      [reply([event('TEXT', 'x')]), [['OPEN']]],
    ] as [Reply, string[][]][]) {
      const first = held();
      const { server, socket, recorder, clock } = await dial(t, (_, index) => (index === 0 ? first.reply : reply()));
      await server.requests(1);
      socket.abort();
      t.equal(await settled(() => server.seen.length), 1);
      first.give(answer);
      await server.requests(expected.length);
      t.equal(await settled(() => server.seen.length), expected.length);
      t.same(shorts(server.seen), expected);
      t.same(recorder.ends, []);
      t.equal(clock.pending, 0);
    }
  });

  t.test('a client that goes while the session is pending is told to the origin', async (t) => {
    const { server, socket, clock } = await dial(t, () => reply([], ['Keep-Alive-Interval', '20']));
    await until('the poll timer', () => clock.pending === 1);
    socket.close(1000, NOTHING);
    t.same((await server.requests(2))[1]?.short, ['DISCONNECT']);
    t.equal(clock.pending, 0);
  });

  t.test('a client that is not held back ends the session before memory does', async (t) => {
    const { server, socket, recorder } = await open(t, (_, index) => (index === 1 ? undefined : reply()));
    const message = Buffer.alloc(1_000_000);
    let bytes = 0;
    while (bytes <= 2 * MESSAGE_MAX + QUEUE_MARGIN) {
      socket.send('binary', message);
      bytes += message.length;
    }
    t.equal(await recorder.saw('lost'), 'lost ERR_ORIGIN_REQUEST');
    const last = await until('a DISCONNECT', () => server.seen.find(({ short }) => short[0] === 'DISCONNECT'));
    t.ok(last);
  });
});
