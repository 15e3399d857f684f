/** How channels may be called, wherever they are named: by publishers, origins and operators. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type LogRecord, newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';

/** Of 255 and 256 bytes. */
const longest = `${'é'.repeat(127)}x`;
const tooLong = 'é'.repeat(128);
const control = 'a\u0001';

const instruct = (channel: string) =>
  JSON.stringify({ hold: { mode: 'stream', channels: [{ name: channel }] }, response: { body: 'open ' } });

/** Holds by JSON on the channel that the query names, which can be any text; over HTTP subscribes a session to it. */
const startNaming = (t: Parameters<typeof startOrigin>[0]) =>
  startOrigin(t, (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://a');
    const channel = searchParams.get('channel') ?? '';
    if (request.headers['content-type'] !== 'application/websocket-events') {
      response.writeHead(200, { 'Content-Type': 'application/grip-instruct' }).end(instruct(channel));
      return;
    }
    const text = `c:${JSON.stringify({ type: 'subscribe', channel })}`;
    const headers = { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' };
    const length = Buffer.byteLength(text).toString(16);
    response.writeHead(200, headers).end(`OPEN\r\nTEXT ${length}\r\n${text}\r\n`);
  });

const pathOf = (channel: string) => `/?channel=${encodeURIComponent(channel)}`;

for (const edge of ['node', 'uws']) {
  t.test(
    `edge ${edge}: the longest name works everywhere; a longer one, and control characters, nowhere`,
    async (t) => {
      const origin = await startNaming(t);
      const routes = [`a ${origin.target}`, `b,prefix=p- ${origin.target}`, `ws ${origin.target},over_http`];
      const holdfast = await startHoldfast(t, { settings: { edge }, routes });
      const at = (host: string, channel: string) =>
        open(t, `${holdfast.clients}${pathOf(channel)}`, { headers: { host } });
      const held = await at('a', longest);
      await held.until('open ');
      await holdfast.publish(streamItem(longest, 'item'));
      await held.until('item');
      const view = (channel: string) => ask(t, `${holdfast.control}/channels/${encodeURIComponent(channel)}`);
      t.equal((await view(longest)).status, 200);
      for (const [host, channel, why] of [
        ['a', tooLong, /is longer than 255 bytes \(channel_name_max\)/],
        ['a', control, /'a\?' contains a control character \(channel_name_max\)/],
        ['b', longest, /'p-é+…' is longer than 255 bytes/],
      ] as const) {
        t.equal((await ask(t, `${holdfast.clients}${pathOf(channel)}`, { headers: { host } })).status, 502);
        await holdfast.record(`${why}`, ({ msg, level }: LogRecord) => level === 'warn' && why.test(String(msg)));
      }
      for (const channel of [tooLong, control]) {
        t.equal((await view(channel)).status, 400);
        await t.rejects(
          holdfast.publish(streamItem('a', ''), streamItem(channel, '')),
          /400: .*items\[1\]: channel name/,
        );
        const session = await openWs(t, wsUrl(holdfast.clients, pathOf(channel)), { headers: { host: 'ws' } });
        t.equal((await session.end()).code, 1011);
      }
      t.equal(await holdfast.metric('holdfast_limited_total{limit="channel_name_max"}'), 9);
      t.equal(held.text, 'open item');
    },
  );
}

t.test('with a pushpin.conf names are as long as they were, and have any characters', async (t) => {
  const origin = await startNaming(t);
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'routes'), `* ${origin.target}\n`);
  const config = `[runner]\nhttp_port=127.0.0.1:0\n[proxy]\nroutesfile=routes\n[handler]\npush_in_http_port=0\n`;
  const holdfast = await startHoldfast(t, { directory, config });
  for (const channel of [tooLong, control, 'x'.repeat(1_024)]) {
    const held = await open(t, `${holdfast.clients}${pathOf(channel)}`, {});
    await held.until('open ');
    await holdfast.publish(streamItem(channel, 'item'));
    await held.until('item');
  }
});

t.test('items of one publish, with ids_max', async (t) => {
  const holdfast = await startHoldfast(t, { settings: { ids_max: 2 }, routes: ['* test'] });
  const items = ['1', '2', '3'].map((content) => streamItem('test', content));
  t.equal((await holdfast.publish(...items.slice(1))).length, 2);
  await t.rejects(
    holdfast.publish(...items),
    /answered 413: Too many items: 3, where one publish may have 2 \(ids_max\)/,
  );
  t.equal(await holdfast.metric('holdfast_limited_total{limit="ids_max"}'), 1);
});
