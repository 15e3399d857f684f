/** Limits of what WebSocket clients send, on both edges, with both kinds of origin, and by SockJS. */
import t from 'tap';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startEcho } from '../../kit/echo-fixture.js';
import { type Holdfast, type LogRecord, startHoldfast } from '../../kit/holdfast.js';
import { type Kind, kinds } from '../../kit/origins/echo-origin.js';
import { E2eFixture } from '../../sockjs/e2e-fixture.js';

const limited = (holdfast: Holdfast, limit: string) => holdfast.metric(`holdfast_limited_total{limit="${limit}"}`);
const TOO_MANY = { code: 1008, reason: 'too many messages' };
const RATE = { ws_message_rate: 5 };
const BURST = 10;

for (const edge of ['node', 'uws']) {
  for (const kind of Object.keys(kinds) as Kind[]) {
    t.test(
      `edge ${edge}, ${kind} origin: as many messages at once as twice the rate, one more closes with 1008`,
      async (t) => {
        const origin = await startEcho(t, kind);
        const holdfast = await startHoldfast(t, {
          settings: { edge, ...RATE },
          routes: [`* ${origin.target}${kinds[kind]}`],
        });
        const calm = await openWs(t, wsUrl(holdfast.clients));
        const client = await openWs(t, wsUrl(holdfast.clients));
        for (let i = 0; i < BURST; i++) client.send(`${i}`);
        for (let i = 0; i < BURST; i++) t.equal(await client.text(), `${i}`);
        for (let i = 0; i < 5 * BURST; i++) client.socket.ping('more');
        t.strictSame(await client.end(), TOO_MANY);
        t.equal(await limited(holdfast, 'ws_message_rate'), 1);
        t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="ws",reason="message-rate"}'), 1);
        t.match(
          await holdfast.record('of the limit', ({ msg }: LogRecord) => /\(ws_message_rate\)/.test(String(msg))),
          { level: 'warn' },
        );
        calm.send('still here');
        t.equal(await calm.text(), 'still here', 'others go on');
      },
    );

    t.test(
      `edge ${edge}, ${kind} origin: a message over the route’s length closes with 1009; other routes have theirs`,
      async (t) => {
        const origin = await startEcho(t, kind);
        const target = `${origin.target}${kinds[kind]}`;
        const routes = [`*,path_beg=/short,ws_message_max=1000 ${target}`, `* ${target}`];
        const holdfast = await startHoldfast(t, { settings: { edge }, routes });
        const client = await openWs(t, wsUrl(holdfast.clients, '/short'));
        client.send('x'.repeat(1_000));
        t.equal((await client.text()).length, 1_000);
        client.send('!bytes 5000');
        t.equal((await client.next()).data.length, 5_000, 'what the origin sends may be longer');
        client.send('x'.repeat(1_001));
        t.equal((await client.end()).code, 1009);
        await origin.saw('close 1009');
        t.equal(origin.seen.filter((line) => line === 'text 1001').length, 0);
        t.equal(await limited(holdfast, 'ws_message_max'), 1);
        await holdfast.record('of the limit', ({ msg }: LogRecord) =>
          /has 1001 bytes \(ws_message_max\)/.test(String(msg)),
        );
        const other = await openWs(t, wsUrl(holdfast.clients, '/other'));
        other.send('x'.repeat(1_001));
        t.equal((await other.text()).length, 1_001);
      },
    );
  }

  t.test(`edge ${edge}: a client that keeps to the rate is never cut`, async (t) => {
    const origin = await startEcho(t, 'direct');
    const holdfast = await startHoldfast(t, {
      settings: { edge, ws_message_rate: 100 },
      routes: [`* ${origin.target}`],
    });
    const client = await openWs(t, wsUrl(holdfast.clients));
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 20; i++) client.send(`${i}`);
      for (let i = 0; i < 20; i++) t.equal(await client.text(), `${i}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    t.equal(client.closed, undefined);
  });

  t.test(`edge ${edge}: SockJS counts each message of a frame and of a POST`, async (t) => {
    const { url, holdfast, ...fixture } = await sockjs(t, edge);
    const client = await openWs(t, wsUrl(url, '/echo/000/a/websocket'));
    client.send(JSON.stringify(Array(BURST + 1).fill('x')));
    t.equal(await client.text(), 'o');
    const closed = await client.end();
    t.equal(closed.code, 1008);
    const { e2e } = fixture;
    await e2e.post('/000/b/xhr');
    const sent = await e2e.post('/000/b/xhr_send', JSON.stringify(Array(BURST + 1).fill('x')));
    t.match(sent.text, /^c\[1008,"too many messages"\]/);
    t.equal(await limited(holdfast, 'ws_message_rate'), 2);
  });

  t.test(`edge ${edge}: SockJS has the route’s length for each message`, async (t) => {
    const e2e = await E2eFixture.start(t, 'direct', { route: 'ws_message_max=10', settings: { edge } });
    const client = await openWs(t, wsUrl(e2e.url, '/echo/000/a/websocket'));
    client.send(JSON.stringify(['x'.repeat(10), 'y'.repeat(10)]));
    for (const text of ['o', `a["${'x'.repeat(10)}"]`, `a["${'y'.repeat(10)}"]`]) t.equal(await client.text(), text);
    client.send(JSON.stringify(['x'.repeat(11)]));
    t.equal((await client.end()).code, 1009);
    await e2e.post('/000/b/xhr');
    await e2e.post('/000/b/xhr_send', JSON.stringify(['x'.repeat(11)]));
    t.match((await e2e.post('/000/b/xhr')).text, /^c\[1009,/);
    t.equal(await limited(e2e.holdfast, 'ws_message_max'), 2);
  });
}

async function sockjs(t: Parameters<typeof startEcho>[0], edge: string) {
  const e2e = await E2eFixture.start(t, 'direct', { settings: { edge, ...RATE } });
  return { e2e, url: e2e.url, holdfast: e2e.holdfast };
}
