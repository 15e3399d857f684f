/**
 * A fault of Holdfast ends the one thing that it belongs to: everybody else is served on, by the same process, and the operator
 * has a line with the stack and a count. The faults are put into a real process, on both edges.
 */
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, responseItem, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

t.setTimeout(120_000);

const EVENTS = { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' };
const sabotage = new URL('./sabotage.js', import.meta.url).href;

/** An origin that holds `/stream…` and `/poll…` on `fault` and, where the path says so, on `victim`; `/ws` likewise. */
async function start(t: Test, edge: string): Promise<Holdfast> {
  const origin = await startOrigin(t, (request, response, seen) => {
    const path = request.url ?? '';
    const channels = path.includes('victim') ? 'fault, victim' : 'fault';
    if (request.headers['content-type'] === EVENTS['Content-Type']) {
      request.on('end', () => {
        const opens = seen.body.startsWith('OPEN');
        const subscribe = channels
          .split(', ')
          .map((channel) => `c:${JSON.stringify({ type: 'subscribe', channel })}`)
          .map((text) => `TEXT ${text.length.toString(16)}\r\n${text}\r\n`)
          .join('');
        const says = seen.body.includes('say') ? 'TEXT e\r\nm:fault-origin\r\n' : '';
        response.writeHead(200, EVENTS).end(opens ? `OPEN\r\n${subscribe}` : says);
      });
    } else if (path.startsWith('/stream')) {
      const beat = path.includes('beat') ? { 'Grip-Keep-Alive': 'fault-beat; timeout=1' } : {};
      response.writeHead(200, { ...streamHold('fault'), 'Grip-Channel': channels, ...beat });
      response.end('open\n');
    } else if (path.startsWith('/poll')) {
      response.writeHead(200, { ...responseHold('fault'), 'Grip-Channel': channels }).end('none\n');
    } else if (path === '/head') response.writeHead(200, ['X', 'fault-head']).end('x');
    else if (path === '/relay') {
      response.write('begun;');
      setTimeout(() => response.end('fault-relay'), 100);
    } else request.on('end', () => response.end(`${path} ${seen.body}`)).resume();
  });
  return startHoldfast(t, {
    routes: [`*,path_beg=/ws ${origin.target},over_http`, `* ${origin.target}`],
    settings: { edge },
    asBuilt: true,
    env: { NODE_OPTIONS: `--import ${sabotage}` },
  });
}

/** Waits until a fault is counted, and for its line. */
async function assertReported(t: Test, holdfast: Holdfast, where: string, before: number): Promise<void> {
  const series = `holdfast_faults_total{where="${where}"}`;
  t.equal(await holdfast.metric(series), before + 1, `one more fault of ${where}`);
  const { level, stack } = await until(
    `the line of a fault of ${where}`,
    () => holdfast.records().filter((record) => record.where === where)[before],
  );
  t.match({ level, stack }, { level: 'error', stack: /sabotaged .*\n\s+at / }, 'its line has the stack');
}

for (const edge of ['node', 'uws']) {
  t.test(`faults with edge: ${edge}`, async (t) => {
    const holdfast = await start(t, edge);
    const { clients, control } = holdfast;
    const stream = await open(t, `${clients}/stream`);
    const session: WsClient = await openWs(t, wsUrl(clients, '/ws'));
    await stream.until('open\n');
    await holdfast.holds('ws', 1);
    let items = 0;
    /** Clients that were there before are there still, and get the next item; the next client is served. */
    const assertServed = async (t: Test) => {
      const text = `item ${++items}\n`;
      const formats = { 'http-stream': { content: text }, 'ws-message': { content: text } };
      const poll = open(t, `${clients}/poll`);
      await holdfast.holds('response', 1);
      await holdfast.publish({ channel: 'fault', formats: { ...formats, 'http-response': { body: text } } });
      await stream.until(text);
      t.equal(await session.text(), text);
      await (await poll).until(text);
      t.match(await ask(t, `${clients}/next`), { status: 200, text: '/next ' });
      t.ok(holdfast.child.running);
    };
    const faults = async (t: Test, where: string, act: () => Promise<void>) => {
      const before = await holdfast.metric(`holdfast_faults_total{where="${where}"}`);
      await act();
      await assertReported(t, holdfast, where, before);
      await assertServed(t);
    };

    t.test('in taking a request: 500', (t) =>
      faults(t, 'client', async () => {
        t.match(await ask(t, `${clients}/fault-handler`), { status: 500, text: 'Internal error.\n' });
      }),
    );
    t.test('in taking a handshake: 500', (t) =>
      faults(t, 'client', async () => {
        await t.rejects(openWs(t, wsUrl(clients, '/fault-handler')), /500/);
      }),
    );
    t.test('in reading a request body: 500', (t) =>
      faults(t, 'client', async () => {
        const asked = ask(t, `${clients}/body`, { method: 'POST', body: 'fault-body' });
        t.match(await asked, { status: 500, text: 'Internal error.\n' });
      }),
    );
    t.test('on the head of an answer: 500', (t) =>
      faults(t, 'origin', async () => {
        t.match(await ask(t, `${clients}/head`), { status: 500, text: 'Internal error.\n' });
      }),
    );
    t.test('in relaying a body: the answer is broken off', (t) =>
      faults(t, 'origin', async () => {
        const answer = await open(t, `${clients}/relay`);
        t.equal(await answer.end(), 'broken');
        t.equal(answer.text, 'begun;');
      }),
    );
    t.test('in delivering to a stream: it alone is broken off', (t) =>
      faults(t, 'delivery', async () => {
        const victim = await open(t, `${clients}/stream-victim`);
        await victim.until('open\n');
        await holdfast.publish(streamItem('fault', ''));
        t.equal(await victim.end(), 'broken');
        await holdfast.holds('stream', 1);
      }),
    );
    t.test('in delivering to a long poll: 500 for it alone', (t) =>
      faults(t, 'delivery', async () => {
        const victim = ask(t, `${clients}/poll-victim`);
        await holdfast.holds('response', 1);
        await holdfast.publish(responseItem('fault', 'x'));
        t.match(await victim, { status: 500, text: 'Internal error.\n' });
        await holdfast.holds('response', 0);
      }),
    );
    t.test('in delivering to a session: 1011 for it alone', (t) =>
      faults(t, 'delivery', async () => {
        const victim = await openWs(t, wsUrl(clients, '/ws-victim'));
        await holdfast.holds('ws', 2);
        await holdfast.publish({ channel: 'fault', formats: { 'ws-message': { content: 'seen' } } });
        t.equal(await session.text(), 'seen');
        t.match(await victim.end(), { code: 1011 });
        await holdfast.holds('ws', 1);
      }),
    );
    t.test('in a message of a client: 1011', (t) =>
      faults(t, 'client', async () => {
        const victim = await openWs(t, wsUrl(clients, '/ws'));
        victim.send('fault-client');
        t.match(await victim.end(), { code: 1011 });
        await holdfast.holds('ws', 1);
      }),
    );
    t.test('in a message of an origin: 1011', (t) =>
      faults(t, 'origin', async () => {
        const victim = await openWs(t, wsUrl(clients, '/ws'));
        victim.send('say');
        t.match(await victim.end(), { code: 1011 });
        await holdfast.holds('ws', 1);
      }),
    );
    t.test('in a timer of a stream: it is broken off', (t) =>
      faults(t, 'timer', async () => {
        const victim = await open(t, `${clients}/stream-beat`);
        t.equal(await victim.end(), 'broken');
        await holdfast.holds('stream', 1);
      }),
    );
    t.test('in an item of the backplane: it alone is lost', (t) =>
      faults(t, 'backplane', async () => {
        await holdfast.publish({ ...streamItem('fault', 'lost\n'), id: 'fault-backplane' });
        t.notMatch(stream.text, /lost/);
      }),
    );
    t.test('in a control request: 500', (t) =>
      faults(t, 'control', async () => {
        t.match(await ask(t, `${control}/nodes`), { status: 500 });
      }),
    );
    t.test('that nothing contains: the process goes on', (t) =>
      faults(t, 'process', async () => {
        await ask(t, `${clients}/fault-process`);
      }),
    );
    t.teardown(() => session.socket.terminate());
  });
}
