import t from 'tap';
import { QUEUE_HIGH_BYTES } from '../../../dist/sessions/over-http/queue.js';
import { settled, until } from '../../kit/until.js';
import { event, reply } from './events-server.js';
import { inTurn, open, shorts } from './origin-fixture.js';

const NOTHING = Buffer.alloc(0);

t.test('Content-Bytes-Accepted', async (t) => {
  const accepted = (bytes: number | string) => reply([], ['Content-Bytes-Accepted', String(bytes)]);

  t.test('leaves the rest to be sent again before what is new, and says how much that is', async (t) => {
    const { server, say, recorder } = await open(t, inTurn(accepted(5), reply([event('TEXT', '[ok]')])));
    say('[foo][hello');
    await server.requests(2);
    t.equal(await settled(() => server.seen.length), 2, 'nothing is sent again by itself');
    say(' world]');
    const seen = await server.requests(3);
    t.same(seen[2]?.short, ['TEXT [hello', 'TEXT  world]']);
    t.equal(seen[2]?.headers['content-bytes-replayed'], '6');
    await recorder.got(1);
    say('next');
    const after = (await server.requests(4))[3];
    t.same(after?.short, ['TEXT next']);
    t.notOk('content-bytes-replayed' in (after?.headers ?? {}));
  });

  t.test('leaves all with 0, and a refresh shows it again', async (t) => {
    const { server, say, socket } = await open(t, inTurn(accepted(0)));
    say('ab');
    await server.requests(2);
    await settled(() => server.seen.length);
    socket.refresh();
    const again = (await server.requests(3))[2];
    t.same(again?.short, ['TEXT ab']);
    t.equal(again?.headers['content-bytes-replayed'], '2');
  });

  for (const value of ['-1', 'x', '']) {
    t.test(`accepts everything as ${JSON.stringify(value)}`, async (t) => {
      const { server, say } = await open(t, inTurn(accepted(value)));
      say('a');
      await server.requests(2);
      await settled(() => server.seen.length);
      say('b');
      t.same((await server.requests(3))[2]?.short, ['TEXT b']);
    });
  }

  t.test('beyond what was offered ends the session', async (t) => {
    const { say, recorder } = await open(t, inTurn(accepted(2)));
    say('a');
    t.equal(await recorder.saw('lost'), 'lost ERR_ORIGIN_MALFORMED');
  });

  t.test('without progress ends the session when nothing more can be offered', async (t) => {
    const one = await open(t, () => accepted(0), undefined, { target: 'one_event' });
    one.say('a');
    one.say('b');
    t.equal(await one.recorder.saw('lost'), 'lost ERR_ORIGIN_MALFORMED');
    const { socket, recorder } = await open(t, () => accepted(0));
    t.notOk(socket.send('binary', Buffer.alloc(QUEUE_HIGH_BYTES)));
    t.equal(await recorder.saw('lost'), 'lost ERR_ORIGIN_MALFORMED');
  });

  t.test('with progress and a full queue goes on by itself', async (t) => {
    const { server, socket, recorder } = await open(t, (_, index) => (index < 4 ? accepted(100_000) : reply()));
    t.notOk(socket.send('binary', Buffer.alloc(350_000)));
    const seen = await server.requests(3);
    t.same(
      seen.slice(1).map(({ events, headers }) => [events[0]?.content?.length, headers['content-bytes-replayed']]),
      [
        [350_000, undefined],
        [250_000, '250000'],
      ],
    );
    await until('room for more', () => recorder.writable === 1);
  });

  t.test('short of a CLOSE sends the rest and the CLOSE again', async (t) => {
    const { server, say, socket } = await open(t, inTurn(accepted(2)));
    say('abc');
    socket.close(undefined, NOTHING);
    const seen = await server.requests(3);
    t.same(shorts(seen.slice(1)), [
      ['TEXT abc', 'CLOSE'],
      ['TEXT c', 'CLOSE'],
    ]);
    t.equal(await settled(() => server.seen.length), 3);
  });
});
