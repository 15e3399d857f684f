/**
 * What a publisher or an origin may send, and what becomes of it, on a node with little memory: refused, or left out for one
 * client, with its reason; everybody else gets what comes after it.
 */
import t, { type Test } from 'tap';
import { type Answer, ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, type HoldfastOptions, responseItem, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { type Origin, responseHold, startOrigin } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

/** Of the heap. What is published here is more. */
const HEAP_MB = 112;

const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` };
const patchOf = (channel: string, patch: readonly object[]) => ({
  channel,
  formats: { 'http-response': { 'body-patch': patch } },
});
const LARGE = 'x'.repeat(900_000);

/** A node, whose origin holds what it is asked for by its path: kind, channel. */
async function start(t: Test, options: HoldfastOptions = {}): Promise<{ holdfast: Holdfast; origin: Origin }> {
  const origin = await startOrigin(t, (request, response) => {
    const [, kind, channel = ''] = (request.url ?? '').split('/');
    const meta = { 'Grip-Set-Meta': `value=${'m'.repeat(10_000)}` };
    if (kind === 'poll') response.writeHead(200, responseHold(channel)).end('{"a":["xxxxxxxxxxxxxxxx"]}');
    else if (kind === 'subst') {
      response.writeHead(200, { 'Grip-Hold': 'stream', 'Grip-Channel': `${channel}; filter=var-subst`, ...meta });
      response.end('open\n');
    } else if (kind === 'stream') {
      response.writeHead(200, { 'Grip-Hold': 'stream', 'Grip-Channel': channel }).end('open\n');
    } else if (kind === 'deep') {
      response.writeHead(200, { 'Content-Type': 'application/grip-instruct' });
      response.end('['.repeat(40_000) + ']'.repeat(40_000));
    } else response.end('plain');
  });
  const holdfast = await startHoldfast(t, {
    routes: [`* ${origin.target}`],
    env,
    ...options,
    settings: { history_replay: true, client_half_close_grace: 0, ...options.settings },
  });
  return { holdfast, origin };
}

/** Holds a long poll. */
async function poll(t: Test, holdfast: Holdfast, channel: string): Promise<{ answer: Promise<Answer> }> {
  const answer = ask(t, `${holdfast.clients}/poll/${channel}`);
  answer.catch(() => {});
  await holdfast.holds('response', 1);
  return { answer };
}

/** The status and text of a publish. */
async function post(holdfast: Holdfast, body: string): Promise<string> {
  const response = await fetch(`${holdfast.control}/publish/`, { method: 'POST', body });
  return `${response.status} ${await response.text()}`;
}

/**
 * All that a node is asked to bear here, whatever carries its items; some 3 MB are published in a round. It is one node for all: each
 * test has its channels, and looks at counters that no other moves. The last one fills it.
 */
function bears(
  what: string,
  rounds: number,
  settings: (t: Test) => Promise<Record<string, string | number | boolean>>,
): void {
  t.test(what, async (t) => {
    const { holdfast } = await start(t, { settings: await settings(t) });

    t.test(`${what}: patches stay within own members and within bounds`, async (t) => {
      for (const path of ['/hasOwnProperty/call', '/__proto__/a', '/constructor/prototype/a', '/a/-1', '/a/length']) {
        const { answer } = await poll(t, holdfast, 'patch');
        await holdfast.publish(patchOf('patch', [{ op: 'add', path, value: 0 }]));
        t.match(await answer, { status: 200, text: '' }, path);
      }
      const { answer } = await poll(t, holdfast, 'patch');
      const doubling = Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
      await holdfast.publish(patchOf('patch', doubling));
      const dropped = 'holdfast_items_dropped_total{kind="response",reason="patch-limit"}';
      await until('the drop', async () => (await holdfast.metric(dropped)) === 1);
      await holdfast.publish(patchOf('patch', [{ op: 'remove', path: '/a/0' }]));
      t.match(await answer, { status: 200, text: '{"a":[]}' });
    });

    t.test(`${what}: content that a connection’s meta would make too large is left out for it`, async (t) => {
      const [filtered, plain] = await Promise.all([
        open(t, `${holdfast.clients}/subst/filtered`),
        open(t, `${holdfast.clients}/stream/filtered`),
      ]);
      await Promise.all([filtered.until('open'), plain.until('open')]);
      await holdfast.publish(
        streamItem('filtered', `${'%(value)s'.repeat(8_000)}\n`),
        streamItem('filtered', 'next\n'),
      );
      await Promise.all([filtered.until('next'), plain.until('next')]);
      t.notMatch(filtered.text, /mmm/);
      t.equal(await holdfast.metric('holdfast_items_dropped_total{kind="stream",reason="filter-failed"}'), 1);
    });

    t.test(`${what}: what is kept of items does not end the process, whatever part of them is large`, async (t) => {
      const client = await open(t, `${holdfast.clients}/stream/room`);
      await client.until('open');
      const formats = { 'http-stream': { content: '' } };
      for (let i = 0; i < rounds; i++) {
        const item = { channel: `c${i}`, id: `i${i}`, formats };
        await holdfast.publish({ ...item, meta: { a: LARGE } });
        await holdfast.publish({
          ...item,
          channel: `h${i}`,
          formats: { 'http-response': { body: '', headers: { a: LARGE } } },
        });
        await holdfast.publish(patchOf(`p${i}`, [{ op: 'add', path: '/a', value: LARGE.slice(0, 200_000) }]));
        t.match(await post(holdfast, JSON.stringify({ items: [{ ...item, id: `${i}${LARGE}` }] })), /^400 /);
      }
      await holdfast.publish(streamItem('room', 'next\n'));
      await client.until('next');
      t.ok(holdfast.child.running);
    });
  });
}

bears('one process', 40, async () => ({}));
bears('workers', 5, async () => ({ workers: 2 }));
bears('redis', 5, async (t) => ({ redis_url: (await startRedis(t)).url, history_size: 2 }));

t.test('refusals', async (t) => {
  const { holdfast } = await start(t);

  t.test('what cannot be is refused before it is accepted, with its reason', async (t) => {
    const client = await open(t, `${holdfast.clients}/stream/room`);
    await client.until('open');
    const good = streamItem('room', 'never\n');
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    const cases = [
      [`{"channel":"room","x":${deep}}`, '400 Body nests deeper than 256 levels.\n'],
      [
        `{"channel":"room","formats":{"http-response":{"body-patch":[{"op":"add","path":"/a"}]}}}`,
        "400 Invalid format: items[1]: 'body-patch' operation 0 does not contain 'value'\n",
      ],
      [
        JSON.stringify(streamItem('x'.repeat(1_025), '')),
        "400 Invalid format: items[1]: publish item object contains 'channel' of more than 1024 bytes\n",
      ],
    ] as const;
    for (const [item, answer] of cases) {
      t.equal(await post(holdfast, `{"items":[${JSON.stringify(good)},${item}]}`), answer);
    }
    await holdfast.publish(streamItem('room', 'next\n'), responseItem('room', ''));
    await client.until('next');
    t.notMatch(client.text, /never/);
  });

  t.test('names that an origin or a view gives are no longer than those of items', async (t) => {
    const long = 'x'.repeat(1_025);
    t.match(await ask(t, `${holdfast.clients}/stream/${long}`), { status: 502 });
    t.match(await ask(t, `${holdfast.clients}/deep`), { status: 502 });
    for (const path of [`/channels/${long}`, `/channels/${long}/items`, `/connections/${long}`]) {
      const view = await fetch(`${holdfast.control}${path}`);
      t.equal(view.status, 400);
      t.match(await view.json(), { code: 'ERR_CONTROL_NAME', message: 'Name of more than 1024 bytes in the path.' });
    }
    t.match(await ask(t, `${holdfast.clients}/plain`), { status: 200, text: 'plain' });
  });
});
