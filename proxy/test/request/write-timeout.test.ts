/** `write_timeout`: clients that take nothing of an answer, on each edge. */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { head } from '../kit/clients/raw-client.js';
import { startOrigin, streamHold } from '../kit/origins/origin.js';
import { until } from '../kit/until.js';
import { startRelay } from './fixture.js';

t.setTimeout(120_000);

const MUCH = 64 * 2 ** 20;

/** More than the kernel keeps. */
const WHOLE = 24 * 2 ** 20;

for (const edge of ['node', 'uws']) {
  const settings = { edge, write_timeout: 1 };

  t.test(`edge ${edge}: a relayed answer is cut, and the origin’s with it`, async (t) => {
    let gone = 0;
    const origin = await startOrigin(t, (_, response) => {
      response.once('close', () => gone++);
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    });
    const proxy = await startRelay(t, [`* ${origin.target}`], settings);
    const client = await proxy.connect();
    client.pause();
    const since = performance.now();
    void client.write(head('GET', '/'));
    t.match(await proxy.end(1), { status: 200, error: 'ERR_REQUEST_CLIENT_GONE' });
    const ms = performance.now() - since;
    t.ok(ms >= 1_000 && ms < 10_000, `after ${ms} ms`);
    await until('the end of the origin’s answer', () => gone === 1);
    client.resume();
    await client.closed();
    const line = proxy.log.lines.find(({ message }) => message.includes('write_timeout'));
    t.match(line, { fields: { client: '127.0.0.1' } });
  });

  t.test(`edge ${edge}: so is a client that leaves the last bytes of an answer that was written whole`, async (t) => {
    const origin = await startOrigin(t, (_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/grip-instruct' });
      response.end(JSON.stringify({ response: { body: 'x'.repeat(WHOLE) } }));
    });
    const proxy = await startRelay(t, [`* ${origin.target}`], { ...settings, instruct_body_max: MUCH });
    const client = await proxy.connect();
    client.pause();
    void client.write(head('GET', '/'));
    t.match(await proxy.end(1), { status: 200, error: undefined });
    const since = performance.now();
    await until('the log of the cut', () => proxy.log.lines.some(({ message }) => message.includes('write_timeout')));
    const ms = performance.now() - since;
    t.ok(ms >= 900 && ms < 10_000, `after ${ms} ms`);
    client.resume();
    await client.closed();
    t.ok(client.receivedBytes < WHOLE);
  });

  t.test(`edge ${edge}: a client that reads slowly gets everything`, async (t) => {
    const origin = await startOrigin(t, (_, response) => void response.end(Buffer.alloc(MUCH)));
    const proxy = await startRelay(t, [`* ${origin.target}`], settings);
    const client = await proxy.connect();
    client.pause();
    void client.write(head('GET', '/', ['Connection: close']));
    const since = performance.now();
    for (let read = 0; read < 12; read++) {
      await delay(300);
      const before = client.receivedBytes;
      client.resume();
      await until('some bytes', () => client.receivedBytes > before + 4 * 2 ** 20 || client.isClosed);
      client.pause();
    }
    t.ok(performance.now() - since > 3_000);
    client.resume();
    t.equal((await client.answer()).body.length, MUCH);
  });

  t.test(`edge ${edge}: items for a held stream may wait for longer`, async (t) => {
    const origin = await startOrigin(t, (_, response) => response.writeHead(200, streamHold('a')).end('open'));
    const proxy = await startRelay(t, [`* ${origin.target}`], { ...settings, client_queue_size: MUCH });
    const client = await proxy.send(head('GET', '/'));
    await client.receives('open');
    client.pause();
    const content = 'x'.repeat(50_000);
    const items = Array.from({ length: 15 }, () => ({ channel: 'a', formats: { 'http-stream': { content } } }));
    const body = JSON.stringify({ items });
    for (let sent = 0; sent < WHOLE; sent += body.length) {
      t.equal((await fetch(`${proxy.url('control')}/publish/`, { method: 'POST', body })).status, 200);
    }
    await delay(3_000);
    t.notOk(client.isClosed);
    client.resume();
    await until('all items', () => client.receivedBytes > WHOLE);
  });
}

t.test('0 waits for ever', async (t) => {
  const origin = await startOrigin(t, (_, response) => void response.end(Buffer.alloc(MUCH)));
  const proxy = await startRelay(t, [`* ${origin.target}`], { write_timeout: 0 });
  const client = await proxy.connect();
  client.pause();
  void client.write(head('GET', '/'));
  await delay(3_000);
  client.resume();
  t.equal((await client.answer()).body.length, MUCH);
});
