import t from 'tap';
import { OriginError } from '../../../dist/errors.js';
import type { Origin, OriginHandler, OriginRequest } from '../../../dist/origin/port.js';
import { settled, until } from '../../kit/until.js';
import { accept, EVENTS, reply } from './events-server.js';
import { dial, open, shorts } from './origin-fixture.js';

const NOTHING = Buffer.alloc(0);

t.test('an origin that cannot be reached', async (t) => {
  t.test('is tried again 1, 2, 4, 8 and 16 s later, and up to 1 s more each; then the session is lost', async (t) => {
    const { server, say, recorder, clock, made } = await open(t);
    server.stop();
    say('a');
    for (const [failures, delay] of [1_500, 2_500, 4_500, 8_500, 16_500].entries()) {
      await until('a repeat to be due', () => clock.pending === 1);
      t.equal(made(), failures + 2);
      clock.advance(delay - 1);
      t.equal(clock.pending, 1, `not before ${delay} ms`);
      t.same(recorder.ends, ['accepted']);
      clock.advance(1);
    }
    t.equal(await recorder.saw('lost'), 'lost ERR_ORIGIN_CONNECT');
    t.equal(made(), 7, 'OPEN, the message and five repeats');
    t.equal(clock.pending, 0);
  });

  t.test(
    'gets the same content when it is back, signed afresh, and what came meanwhile in the next request',
    async (t) => {
      const { server, say, recorder, clock } = await open(t, (seen) => reply(seen.events));
      server.stop();
      say('a');
      say('b');
      await until('a repeat to be due', () => clock.pending === 1);
      say('c');
      clock.advance(1_500);
      await until('a repeat to be due', () => clock.pending === 1);
      await server.listen();
      clock.advance(2_500);
      const seen = await server.requests(3);
      t.same(shorts(seen.slice(1)), [['TEXT a', 'TEXT b'], ['TEXT c']]);
      t.not(seen[1]?.headers['grip-sig'], seen[0]?.headers['grip-sig']);
      await recorder.got(3);
      t.equal(clock.pending, 0);
    },
  );

  t.test('begins a new count with the next request', async (t) => {
    const { server, say, clock } = await open(t);
    for (let round = 0; round < 2; round++) {
      server.stop();
      say(`${round}`);
      await until('a repeat to be due', () => clock.pending === 1);
      await server.listen();
      clock.advance(1_500);
      await server.requests(round + 2);
      await until('the answer', () => clock.pending === 0);
      await settled(() => server.seen.length);
    }
    t.same(shorts(server.seen.slice(1)), [['TEXT 0'], ['TEXT 1']]);
  });

  t.test('gets DISCONNECT and CLOSE too when it is back', async (t) => {
    for (const end of ['DISCONNECT', 'CLOSE'] as const) {
      const { server, socket, clock } = await open(t);
      server.stop();
      if (end === 'CLOSE') socket.close(undefined, NOTHING);
      else socket.abort();
      await until('a repeat to be due', () => clock.pending === 1);
      await server.listen();
      clock.advance(1_500);
      t.same((await server.requests(2))[1]?.short, [end]);
    }
  });

  t.test('is not waited for by an aborted session', async (t) => {
    const { server, say, socket, clock } = await open(t);
    server.stop();
    say('a');
    await until('a repeat to be due', () => clock.pending === 1);
    socket.abort();
    await server.listen();
    await until('DISCONNECT or its repeat', () => {
      clock.advance(1_500);
      return server.seen.length > 1;
    });
    t.same(shorts(server.seen.slice(1)), [['DISCONNECT']]);
  });
});

t.test('an origin that breaks off after it may have processed a request is not asked again', async (t) => {
  const connections: Failure[] = [];
  const { recorder, say, clock } = await open(t, undefined, undefined, { origin: failing(['no'], connections) });
  say('a');
  t.equal(await recorder.saw('lost'), 'lost ERR_ORIGIN_CLOSED');
  t.equal(connections.length, 1);
  t.equal(clock.pending, 0);
});

t.test('an origin that closes a kept-alive connection on a request gets it again on a new one', async (t) => {
  const { server, say, recorder, clock } = await open(t, (seen, index) => (index === 1 ? 'reset' : reply(seen.events)));
  say('a');
  await recorder.got(1);
  t.same(shorts(server.seen.slice(1)), [['TEXT a'], ['TEXT a']]);
  t.same(recorder.texts, ['text a']);
  t.equal(clock.pending, 0, 'at once');
});

t.test('a kept-alive connection that proves closed is replaced at once, and only then waited for', async (t) => {
  const tried: Failure[] = [];
  const { recorder, say, clock } = await open(t, undefined, undefined, {
    origin: failing(['stale', 'stale', 'stale'], tried),
  });
  say('a');
  await until('a repeat to be due', () => clock.pending === 1);
  t.equal(tried.length, 2, 'repeated at once');
  clock.advance(1_500);
  await until('a repeat to be due', () => clock.pending === 1);
  clock.advance(2_500);
  await until('the answer', () => tried.length === 4);
  t.same(tried, ['TEXT 1\r\na\r\n', 'TEXT 1\r\na\r\n', 'TEXT 1\r\na\r\n', 'TEXT 1\r\na\r\n']);
  t.equal(await settled(() => recorder.ends.length), 1);
});

t.test('an OPEN on a kept-alive connection that proves closed is repeated at once, once', async (t) => {
  const once = await dial(t, () => accept(), { origin: failing(['stale'], [], 0) });
  await once.recorder.saw('accepted');
  const twice = await dial(t, () => accept(), { origin: failing(['stale', 'stale'], [], 0) });
  t.equal(await twice.recorder.saw('failed'), 'failed ERR_ORIGIN_CLOSED');
  t.equal(twice.clock.pending, 0);
});

type Failure = string;

/** An origin that accepts OPEN and then fails so often in these ways; the bodies of requests after OPEN go to `bodies`. */
function failing(repeats: OriginError['repeat'][], bodies: Failure[], opens = 1): Origin {
  const left = [...repeats];
  let opening = opens;
  return {
    dispatch: (request: OriginRequest, handler: OriginHandler) => {
      const isOpening = opening-- > 0;
      if (!isOpening) bodies.push(String(request.body));
      queueMicrotask(() => {
        const repeat = isOpening ? undefined : left.shift();
        if (repeat !== undefined) {
          handler.onError(new OriginError('ERR_ORIGIN_CLOSED', 'closed', repeat));
          return;
        }
        const head = { status: 200, reason: 'OK', headers: ['Content-Type', EVENTS] };
        const sink = handler.onHead(head, undefined);
        sink.onData(Buffer.from(String(request.body).startsWith('OPEN') ? 'OPEN\r\n' : ''));
        sink.onEnd();
      });
      return { resume: () => {}, abort: () => {} };
    },
  };
}
