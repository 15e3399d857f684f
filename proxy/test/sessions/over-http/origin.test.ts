import { setImmediate } from 'node:timers/promises';
import { MAX_WS_EVENTS, type RawHeaders, verifyGripSig } from '@holdfast/grip';
import t from 'tap';
import { growth, LINEAR_MAX } from '../../../../grip/dist-test/growth.js';
import { EVENTS_PER_TURN } from '../../../dist/sessions/over-http/inbox.js';
import { HttpOrigin, type HttpOriginDeps } from '../../../dist/sessions/over-http/origin.js';
import { ManualClock } from '../../kit/manual-clock.js';
import { settled, until } from '../../kit/until.js';
import { accept, EVENTS, event, reply, type SeenRequest } from './events-server.js';
import { dial, held, inTurn, open, shorts } from './origin-fixture.js';

const NOTHING = Buffer.alloc(0);

t.test('opening', async (t) => {
  t.test('OPEN goes as a POST with the media type in Content-Type and Accept, and a Connection-Id', async (t) => {
    const { server } = await open(t);
    const [request] = server.seen as [SeenRequest];
    t.equal(request.method, 'POST');
    t.equal(request.url, '/ws?a=1');
    t.equal(String(request.body), 'OPEN\r\n');
    t.match(request.headers, {
      'content-type': EVENTS,
      accept: EVENTS,
      'connection-id': 'id-1',
      'content-length': '6',
      'sec-websocket-extensions': 'grip',
    });
    t.notOk('content-bytes-replayed' in request.headers);
  });

  t.test('a client’s fields that mean something else here are the proxy’s to set', async (t) => {
    const forged = [
      'Accept',
      'Accept-Encoding',
      'Content-Type',
      'Sec-WebSocket-Extensions',
      'Connection-Id',
      'Meta-User',
    ];
    const headers = ['Cookie', 'a=1', ...forged.flatMap((name) => [name, 'forged'])];
    const { server } = await open(t, undefined, undefined, { headers });
    t.match(server.seen[0]?.headers, { cookie: 'a=1', accept: EVENTS, 'accept-encoding': 'identity' });
    t.match(server.seen[0]?.headers, { 'connection-id': 'id-1', 'content-type': EVENTS });
    t.notOk(JSON.stringify(server.seen[0]?.rawHeaders).includes('forged'));
  });

  t.test('grip is offered in every request, and in none on routes without it', async (t) => {
    const offered = await open(t);
    offered.say('x');
    t.equal((await offered.server.requests(2))[1]?.headers['sec-websocket-extensions'], 'grip');
    const { server, say } = await open(t, undefined, undefined, { offersGrip: false });
    say('x');
    for (const { headers } of await server.requests(2)) t.notOk('sec-websocket-extensions' in headers);
  });

  for (const type of [`${EVENTS}; charset=utf-8`, 'Application/WebSocket-Events', ` ${EVENTS} ;q=1`]) {
    t.test(`the media type is accepted as ${JSON.stringify(type)}`, async (t) => {
      const { recorder } = await dial(t, () => accept([], ['Content-Type', type]));
      t.equal(await recorder.saw('accepted'), 'accepted');
    });
  }

  t.test('fields for the proxy are kept from the client', async (t) => {
    const headers = ['Keep-Alive-Interval', '30', 'Set-Meta-User', 'u', 'Content-Bytes-Accepted', '0', 'X-Mine', '1'];
    const { recorder } = await open(t, undefined, accept([], headers));
    const names = (recorder.headers ?? []).filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    t.ok(names.includes('x-mine'));
    for (const name of [
      'keep-alive-interval',
      'set-meta-user',
      'content-bytes-accepted',
      'content-type',
      'content-length',
    ]) {
      t.notOk(names.includes(name), name);
    }
  });

  for (const [says, answer] of [
    ['a 200 of another type', { headers: ['Content-Type', 'text/html'], body: 'page' }],
    ['a 200 without a type', { headers: [], body: 'page' }],
    ['another status with the media type', { status: 202, headers: ['Content-Type', EVENTS], body: 'page' }],
  ] as const) {
    t.test(`${says} refuses the session`, async (t) => {
      const { recorder } = await dial(t, () => answer);
      await recorder.saw('rejected');
      t.equal(recorder.rejection?.head.status, 'status' in answer ? answer.status : 200);
      t.equal(String(recorder.rejection?.body), 'page');
    });
  }

  t.test('a refusal may have 100,000 bytes', async (t) => {
    const { recorder } = await dial(t, () => ({ status: 403, body: Buffer.alloc(100_000, 'x') }));
    t.equal(await recorder.saw('rejected'), 'rejected 403');
    const longer = await dial(t, () => ({ status: 403, body: Buffer.alloc(100_001, 'x') }));
    t.equal(await longer.recorder.saw('rejected'), 'rejected 500');
    t.match(String(longer.recorder.rejection?.body), /limit of 100000 bytes/);
  });

  for (const [says, answer] of [
    ['cannot be parsed', { headers: ['Content-Type', EVENTS], body: 'OPEN' }],
    ['do not begin with OPEN', reply([event('TEXT', 'x'), event('OPEN')])],
    ['are none, without polls', reply()],
    ['accept what was not offered', accept([], ['Content-Bytes-Accepted', '1'])],
  ] as const) {
    t.test(`events that ${says} are a failure`, async (t) => {
      const { recorder, server } = await dial(t, () => answer);
      t.equal(await recorder.saw('failed'), 'failed ERR_ORIGIN_MALFORMED');
      t.equal(recorder.error?.repeat, 'no');
      t.equal(await settled(() => server.seen.length), 1, 'nothing more is sent');
    });
  }

  t.test('no connection is a failure at once, for the next target to be tried', async (t) => {
    const { recorder, clock } = await dial(t, () => accept(), { isDown: true });
    t.equal(await recorder.saw('failed'), 'failed ERR_ORIGIN_CONNECT');
    t.equal(recorder.error?.repeat, 'connect');
    t.equal(clock.pending, 0, 'no repeat of OPEN');
  });

  t.test(
    'an empty answer with Keep-Alive-Interval leaves the session pending; OPEN is repeated until taken',
    async (t) => {
      const pending = reply([], ['Keep-Alive-Interval', '30']);
      const { recorder, clock, server } = await dial(t, (_, index) =>
        index < 2 ? pending : accept([event('TEXT', 'in')]),
      );
      await until('the poll timer', () => clock.pending === 1);
      clock.advance(29_999);
      t.equal(server.seen.length, 1);
      clock.advance(1);
      await server.requests(2);
      await until('the poll timer', () => clock.pending === 1);
      t.same(recorder.ends, []);
      clock.advance(30_000);
      await recorder.got(1);
      t.same(recorder.ends, ['accepted']);
      t.same(shorts(server.seen), [['OPEN'], ['OPEN'], ['OPEN']]);
    },
  );

  t.test('a pending session may still be refused', async (t) => {
    const pending = reply([], ['Keep-Alive-Interval', '20']);
    const { recorder, clock } = await dial(t, (_, index) => (index === 0 ? pending : { status: 401, body: 'no' }));
    await until('the poll timer', () => clock.pending === 1);
    clock.advance(20_000);
    t.equal(await recorder.saw('rejected'), 'rejected 401');
    t.equal(clock.pending, 0);
  });

  t.test('later events of the first answer count: CLOSE closes', async (t) => {
    const events = [event('TEXT', 'a'), event('CLOSE', Buffer.from([0x0f, 0xa1, 0x78])), event('TEXT', 'never')];
    const { recorder } = await open(t, undefined, accept(events));
    t.equal(await recorder.saw('closed'), 'closed 4001 x');
    t.same(recorder.texts, ['text a']);
  });
});

t.test('requests', async (t) => {
  t.test('there is one at a time; what the client sends meanwhile is one request, in order', async (t) => {
    const first = held();
    const { server, say, socket } = await open(t, (_, index) => (index === 1 ? first.reply : reply()));
    say('a');
    await server.requests(2);
    say('b');
    socket.send('binary', Buffer.from('c'));
    socket.send('ping', NOTHING);
    socket.send('ping', Buffer.from('p'));
    socket.send('pong', Buffer.from('q'));
    say('');
    t.equal(await settled(() => server.seen.length), 2);
    first.give(reply());
    const seen = await server.requests(3);
    t.same(shorts(seen.slice(1)), [['TEXT a'], ['TEXT b', 'BINARY c', 'PING', 'PING p', 'PONG q', 'TEXT']]);
    t.equal(server.mostAtOnce, 1);
  });

  t.test('messages of one burst share a request', async (t) => {
    const { server, say } = await open(t);
    for (const text of ['a', 'b', 'c']) say(text);
    t.same((await server.requests(2))[1]?.short, ['TEXT a', 'TEXT b', 'TEXT c']);
  });

  t.test('with one_event, each event has a request of its own, empty ones and CLOSE too', async (t) => {
    const { server, say, socket } = await open(t, undefined, undefined, { target: 'one_event' });
    for (const text of ['a', '', '']) say(text);
    socket.close(1000, NOTHING);
    const seen = await server.requests(5);
    t.same(shorts(seen.slice(1)), [['TEXT a'], ['TEXT'], ['TEXT'], ['CLOSE \u0003\ufffd']]);
  });

  t.test('a request takes no further event beyond 200,000 bytes', async (t) => {
    const { server, socket } = await open(t);
    for (let i = 0; i < 5; i++) socket.send('binary', Buffer.alloc(90_000, i));
    const seen = await server.requests(3);
    t.same(
      seen.slice(1).map(({ events }) => events.length),
      [3, 2],
    );
  });

  t.test('every one is signed afresh', async (t) => {
    const { server, say, clock } = await open(t);
    clock.advance(1_000);
    say('a');
    await server.requests(2);
    const sigs = server.seen.map(({ headers }) => headers['grip-sig']);
    const key = { kind: 'secret', secret: Buffer.from('proxy') } as const;
    t.ok(sigs.every((sig = '') => verifyGripSig(sig, key, clock.wall() / 1_000)));
    t.equal(new Set(sigs).size, 2);
  });

  t.test('refresh makes an empty request', async (t) => {
    const { server, socket, recorder } = await open(t, inTurn(reply([event('TEXT', 'news')])));
    socket.refresh();
    const seen = await server.requests(2);
    t.equal(seen[1]?.body.length, 0);
    t.equal(seen[1]?.headers['content-length'], '0');
    await recorder.got(1);
  });

  t.test('refreshes during a request make one more, right after it, with what waits', async (t) => {
    const first = held();
    const { server, socket, say } = await open(t, (_, index) => (index === 1 ? first.reply : reply()));
    say('a');
    await server.requests(2);
    socket.refresh();
    socket.refresh();
    say('b');
    first.give(reply());
    await server.requests(3);
    t.same(shorts(server.seen.slice(1)), [['TEXT a'], ['TEXT b']]);
    t.equal(await settled(() => server.seen.length), 3);
  });

  t.test('nothing is asked for while the client does not take what it got', async (t) => {
    const { server, socket, say, recorder } = await open(t);
    socket.pause();
    say('a');
    socket.refresh();
    t.equal(await settled(() => server.seen.length), 1);
    socket.resume();
    t.same((await server.requests(2))[1]?.short, ['TEXT a']);
    t.same(recorder.ends, ['accepted']);
  });

  t.test('an end that was answered while the client was slow comes when it goes on', async (t) => {
    const { server, socket, say, recorder } = await open(t, inTurn(reply([event('TEXT', 'last'), event('CLOSE')])));
    recorder.react = () => socket.pause();
    say('a');
    await recorder.got(1);
    t.equal(await settled(() => recorder.ends.length), 1);
    socket.resume();
    t.equal(await recorder.saw('closed'), 'closed -');
    t.same((await server.requests(3))[2]?.short, ['CLOSE']);
  });
});

t.test('Keep-Alive-Interval', async (t) => {
  const polls = (seconds: string, extra: RawHeaders = []) => accept([], ['Keep-Alive-Interval', seconds, ...extra]);

  t.test('asks for an empty request after that long without one', async (t) => {
    const { server, clock, say, recorder } = await open(t, undefined, polls('30'));
    clock.advance(20_000);
    say('a');
    await server.requests(2);
    await until('the poll timer', () => clock.pending === 1);
    clock.advance(29_999);
    t.equal(await settled(() => server.seen.length), 2, 'counted from the last answer');
    clock.advance(1);
    t.equal((await server.requests(3))[2]?.body.length, 0);
    await until('the poll timer', () => clock.pending === 1);
    clock.advance(30_000);
    await server.requests(4);
    t.same(recorder.ends, ['accepted'], 'it stays until an answer says otherwise');
  });

  t.test('is 20 s at least', async (t) => {
    const { server, clock } = await open(t, undefined, polls('1'));
    clock.advance(19_999);
    t.equal(await settled(() => server.seen.length), 1);
    clock.advance(1);
    await server.requests(2);
  });

  for (const value of ['0', '-1', 'soon', '1.5']) {
    t.test(`is off as ${value}`, async (t) => {
      const { server, say, clock, recorder } = await open(
        t,
        inTurn(reply([event('TEXT', 'x')], ['Keep-Alive-Interval', value])),
        polls('20'),
      );
      say('a');
      await server.requests(2);
      await recorder.got(1);
      t.equal(clock.pending, 0);
    });
  }
});

t.test('meta', async (t) => {
  t.test('is set and removed by answers, whatever the case, and goes with every request', async (t) => {
    const { server, say, socket } = await open(
      t,
      inTurn(reply([], ['set-meta-USER', 'bob', 'Set-Meta-Room', '']), reply([], ['Set-Meta-', 'x'])),
      accept([], ['Set-Meta-User', 'alice', 'Set-Meta-Room', 'r1', 'Set-Meta-Lang', 'de']),
    );
    say('a');
    await server.requests(2);
    say('b');
    await server.requests(3);
    await settled(() => server.seen.length);
    socket.abort();
    const [, first, second, last] = await server.requests(4);
    t.match(first?.headers, { 'meta-user': 'alice', 'meta-room': 'r1', 'meta-lang': 'de' });
    t.match(second?.headers, { 'meta-user': 'bob', 'meta-lang': 'de' });
    t.notOk('meta-room' in (second?.headers ?? {}));
    t.same(last?.short, ['DISCONNECT']);
    t.match(last?.headers, { 'meta-user': 'bob', 'connection-id': 'id-1', 'grip-sig': /./ });
  });

  t.test('beyond its limit ends the session', async (t) => {
    let index = 0;
    const more = () => reply([], [`Set-Meta-${index++}`, 'x'.repeat(20_000)]);
    const { say, recorder, server } = await open(t, more);
    for (let i = 0; i < 4; i++) {
      say('a');
      await server.requests(i + 2);
      await settled(() => server.seen.length);
    }
    t.equal(await recorder.saw('lost'), 'lost ERR_ORIGIN_MALFORMED');
  });
});

t.test('an answer with more events than may be ends the session', async (t) => {
  const { socket, recorder } = await open(t, () => ({
    headers: ['Content-Type', EVENTS],
    body: 'TEXT\r\n'.repeat(MAX_WS_EVENTS + 1),
  }));
  socket.send('text', Buffer.from('x'));
  await until('the end of the session', () => recorder.error);
  t.match(recorder.error, { code: 'ERR_ORIGIN_MALFORMED', message: 'more than 50000 events' });
  t.strictSame(recorder.messages, []);
});

t.test('an answer with thousands of messages: the work grows no faster than their number', async (t) => {
  const ratio = await growth(3_000, (size) => {
    let received = 0;
    const dispatch: HttpOriginDeps['dispatch'] = () => ({ resume() {}, abort() {} });
    const parts = { clock: new ManualClock(), random: () => 0, maxMessage: 100, dispatch, connectionId: 'c' };
    const origin = new HttpOrigin(
      { ...parts, offersGrip: true, oneEvent: false },
      {
        originAccepted: () =>
          origin.setOwner({
            originMessage: () => received++,
            originClosed() {},
            originLost() {},
            originWritable() {},
          } as never),
        originRejected() {},
        originFailed() {},
      },
    );
    const head = { status: 200, reason: 'OK', headers: ['Content-Type', 'application/websocket-events'] };
    const body = (text: string) => ({ head, body: Buffer.from(text) });
    origin.start();
    origin.exchangeAnswered(body('OPEN\r\n'));
    const all = body('TEXT\r\n'.repeat(size));
    return async () => {
      origin.exchangeAnswered(all);
      t.equal(received, EVENTS_PER_TURN, 'others have their turns in between');
      for (let turns = 1; received < size && turns <= size / EVENTS_PER_TURN; turns++) await setImmediate();
      t.equal(received, size);
    };
  });
  t.ok(ratio < LINEAR_MAX, `${ratio}`);
});
