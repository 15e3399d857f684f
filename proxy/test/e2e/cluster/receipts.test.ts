/** Receipts of several nodes, one of them with workers: whom an item can reach, who did not say, and that nobody was there. */

import t from 'tap';
import { commandFile, startChild } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import type { Holdfast } from '../../kit/holdfast.js';
import { streamItem } from '../../kit/holdfast.js';
import { startRedis } from '../../kit/redis.js';
import { openClients, startViews } from '../../kit/views-fixture.js';

const redis = await startRedis(t);
const settings = { redis_url: redis.url, log_level: 'info' };
const [one, two] = await Promise.all([startViews(t, settings), startViews(t, { ...settings, workers: 2 })]);
const counts = (response: number, stream: number, ws: number) => ({ response, stream, ws, callback: 0, xmpp: 0 });

const all = (id: string) => ({
  channel: 'room',
  id,
  formats: { 'http-response': { body: 'x\n' }, 'http-stream': { content: 'x\n' }, 'ws-message': { content: 'x' } },
});

/** Publishes with the reach counted; its receipts and the silent. */
async function counted(node: Holdfast, item: object, wait = 2_000) {
  const headers = { accept: 'application/json', prefer: `wait=${wait}` };
  const answer = await ask(t, `${node.control}/publish/`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ items: [item] }),
  });
  const { items, silent } = JSON.parse(answer.text) as { items: Record<string, unknown>[]; silent?: string[] };
  return { applied: answer.headers['preference-applied'], receipt: items[0] ?? {}, silent };
}

t.test('long polls, streams and sessions of all nodes and workers are counted before the item ends them', async (t) => {
  const clients = await Promise.all([one, two].map((node, n) => openClients(t, node, `reach${n}`)));
  const first = await counted(two, all('1'));
  t.strictSame(first.applied, 'wait=2000');
  t.match(first, { receipt: { nodes: 2, subscribers: 3, reach: counts(2, 2, 2) }, silent: [] });
  for (const { poll, stream, socket } of clients) {
    t.match(await poll, { text: 'x\n' });
    await stream.until('x\n');
    t.equal(await socket.text(), 'x');
  }
  const second = await counted(one, { ...streamItem('room', 'y\n'), id: '2' });
  t.match(second.receipt, { subscribers: 2, reach: counts(0, 2, 0) });
  t.match((await counted(two, { ...streamItem('room', 'y\n'), id: '2' })).receipt, { duplicate: true });
  for (const { stream, socket } of clients) {
    stream.drop();
    socket.vanish();
  }
});

t.test('a node that hangs is named within the time, and the item is published all the same', async (t) => {
  const clients = await openClients(t, two, 'hangs');
  process.kill(one.child.pid as number, 'SIGSTOP');
  const resume = () => process.kill(one.child.pid as number, 'SIGCONT');
  t.teardown(resume);
  const { receipt, silent } = await counted(two, all('3'), 100);
  t.match(receipt, { reach: counts(1, 1, 1) });
  t.equal(silent?.length, 1);
  t.match(await clients.poll, { text: 'x\n' });
  resume();
  clients.stream.drop();
  clients.socket.vanish();
});

t.test('what reached nobody is said: receipt, text, metric, log, and holdfast publish', async (t) => {
  for (const node of [one, two]) {
    const before = await node.metric('holdfast_items_unreceived_total');
    const [receipt] = await node.publish(streamItem('nobody', 'x'));
    t.match(receipt, { nodes: 0, unreceived: true });
    const text = await ask(t, `${node.control}/publish/`, {
      method: 'POST',
      headers: { accept: '*/*' },
      body: JSON.stringify({ items: [streamItem('nobody', 'x')] }),
    });
    t.equal(text.text, 'Published\nNote: the item reached nobody.\n');
    t.equal(await node.metric('holdfast_items_unreceived_total'), before + 2);
    const line = await node.record('the line', ({ msg }) => msg === 'published items reached nobody: channel=nobody');
    t.match(line, { channel: 'nobody', items: 1 });
    const args = [commandFile('holdfast'), 'publish', '--spec', node.control, 'nobody', 'x'];
    const child = startChild(t, { command: process.execPath, args });
    t.match(await child.exited, { code: 0 });
    t.strictSame([child.stdout, child.stderr], ['Published\n', 'Note: the item reached nobody.\n']);
  }
});
