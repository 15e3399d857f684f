/** Limits of what WebSocket clients send, on both edges, with both kinds of origin, and by SockJS. */
import t, { type Test } from 'tap';
import { ask } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type EchoWitness, startEcho } from '../../kit/echo-fixture.js';
import { type Holdfast, type LogRecord, startHoldfast } from '../../kit/holdfast.js';
import { type Kind, kinds } from '../../kit/origins/echo-origin.js';
import { until } from '../../kit/until.js';

const limited = (holdfast: Holdfast, limit: string) => holdfast.metric(`holdfast_limited_total{limit="${limit}"}`);
const TOO_MANY = { code: 1008, reason: 'too many messages' };
const BURST = 10;

interface Fixture {
  readonly holdfast: Holdfast;
  readonly origins: Readonly<Record<Kind, EchoWitness>>;
  /** The text of the answer to a POST for the SockJS service, which is at `/echo`. */
  post(t: Test, path: string, body?: string): Promise<string>;
}

/**
 * A node for all tests with these settings: each origin is at the path of its kind, and SockJS in front of the direct one. Routes whose
 * path begins with `/short` have the properties.
 */
async function start(t: Test, settings: Record<string, string | number>, properties = ''): Promise<Fixture> {
  const origins = { direct: await startEcho(t, 'direct'), 'over-http': await startEcho(t, 'over-http') };
  const routes = (Object.keys(kinds) as Kind[]).flatMap((kind) => [
    `*,path_beg=/${kind} ${origins[kind].target}${kinds[kind]}`,
    `*,path_beg=/short/${kind}${properties} ${origins[kind].target}${kinds[kind]}`,
  ]);
  const sockjs = [
    `*,path_beg=/echo,sockjs=/echo ${origins.direct.target}`,
    `*,path_beg=/short/echo,sockjs=/short/echo,ws_message_max=10 ${origins.direct.target}`,
  ];
  const holdfast = await startHoldfast(t, {
    settings: { client_half_close_grace: 0, ...settings },
    routes: [...routes, ...sockjs],
  });
  const post = async (t: Test, path: string, body = '') =>
    (await ask(t, `${holdfast.clients}${path}`, { method: 'POST', body })).text;
  return { holdfast, origins, post };
}

/** Waits for a line that the log does not have yet, of a limit. */
function newRecord(holdfast: Holdfast, pattern: RegExp): () => Promise<LogRecord> {
  const old = holdfast.records().length;
  const isNew = (record: LogRecord) => pattern.test(String(record.msg));
  return () => until(`${pattern} in the log`, () => holdfast.records().slice(old).find(isNew));
}

for (const edge of ['node', 'uws']) {
  t.test(`edge ${edge}, 5 messages a second`, async (t) => {
    const { holdfast, post } = await start(t, { edge, ws_message_rate: 5 });
    const ended = () => holdfast.metric('holdfast_holds_ended_total{kind="ws",reason="message-rate"}');

    for (const kind of Object.keys(kinds) as Kind[]) {
      t.test(
        `edge ${edge}, ${kind} origin: as many messages at once as twice the rate, one more closes with 1008`,
        async (t) => {
          const before = { limited: await limited(holdfast, 'ws_message_rate'), ended: await ended() };
          const record = newRecord(holdfast, /\(ws_message_rate\)/);
          const calm = await openWs(t, wsUrl(holdfast.clients, `/${kind}`));
          const client = await openWs(t, wsUrl(holdfast.clients, `/${kind}`));
          for (let i = 0; i < BURST; i++) client.send(`${i}`);
          for (let i = 0; i < BURST; i++) t.equal(await client.text(), `${i}`);
          for (let i = 0; i < 5 * BURST; i++) client.socket.ping('more');
          t.strictSame(await client.end(), TOO_MANY);
          t.equal((await limited(holdfast, 'ws_message_rate')) - before.limited, 1);
          t.equal((await ended()) - before.ended, 1);
          t.match(await record(), { level: 'warn' });
          calm.send('still here');
          t.equal(await calm.text(), 'still here', 'others go on');
        },
      );
    }

    t.test(`edge ${edge}: SockJS counts each message of a frame and of a POST`, async (t) => {
      const before = await limited(holdfast, 'ws_message_rate');
      const client = await openWs(t, wsUrl(holdfast.clients, '/echo/000/a/websocket'));
      client.send(JSON.stringify(Array(BURST + 1).fill('x')));
      t.equal(await client.text(), 'o');
      const closed = await client.end();
      t.equal(closed.code, 1008);
      await post(t, '/echo/000/b/xhr');
      const sent = await post(t, '/echo/000/b/xhr_send', JSON.stringify(Array(BURST + 1).fill('x')));
      t.match(sent, /^c\[1008,"too many messages"\]/);
      t.equal((await limited(holdfast, 'ws_message_rate')) - before, 2);
    });
  });

  t.test(`edge ${edge}, 100 messages a second`, async (t) => {
    const { holdfast, origins, post } = await start(t, { edge, ws_message_rate: 100 }, ',ws_message_max=1000');

    t.test(`edge ${edge}: a client that keeps to the rate is never cut`, async (t) => {
      const client = await openWs(t, wsUrl(holdfast.clients, '/direct'));
      for (let round = 0; round < 10; round++) {
        for (let i = 0; i < 20; i++) client.send(`${i}`);
        for (let i = 0; i < 20; i++) t.equal(await client.text(), `${i}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      t.equal(client.closed, undefined);
    });

    for (const kind of Object.keys(kinds) as Kind[]) {
      t.test(
        `edge ${edge}, ${kind} origin: a message over the route’s length closes with 1009; other routes have theirs`,
        async (t) => {
          const origin = origins[kind];
          const before = await limited(holdfast, 'ws_message_max');
          const record = newRecord(holdfast, /has 1001 bytes \(ws_message_max\)/);
          const client = await openWs(t, wsUrl(holdfast.clients, `/short/${kind}`));
          client.send('x'.repeat(1_000));
          t.equal((await client.text()).length, 1_000);
          client.send('!bytes 5000');
          t.equal((await client.next()).data.length, 5_000, 'what the origin sends may be longer');
          client.send('x'.repeat(1_001));
          t.equal((await client.end()).code, 1009);
          await origin.saw('close 1009');
          t.equal(origin.seen.filter((line) => line === 'text 1001').length, 0);
          t.equal((await limited(holdfast, 'ws_message_max')) - before, 1);
          await record();
          const other = await openWs(t, wsUrl(holdfast.clients, `/${kind}`));
          other.send('x'.repeat(1_001));
          t.equal((await other.text()).length, 1_001);
        },
      );
    }

    t.test(`edge ${edge}: SockJS has the route’s length for each message`, async (t) => {
      const before = await limited(holdfast, 'ws_message_max');
      const client = await openWs(t, wsUrl(holdfast.clients, '/short/echo/000/a/websocket'));
      client.send(JSON.stringify(['x'.repeat(10), 'y'.repeat(10)]));
      for (const text of ['o', `a["${'x'.repeat(10)}"]`, `a["${'y'.repeat(10)}"]`]) t.equal(await client.text(), text);
      client.send(JSON.stringify(['x'.repeat(11)]));
      t.equal((await client.end()).code, 1009);
      await post(t, '/short/echo/000/b/xhr');
      await post(t, '/short/echo/000/b/xhr_send', JSON.stringify(['x'.repeat(11)]));
      t.match(await post(t, '/short/echo/000/b/xhr'), /^c\[1009,/);
      t.equal((await limited(holdfast, 'ws_message_max')) - before, 2);
    });
  });
}
