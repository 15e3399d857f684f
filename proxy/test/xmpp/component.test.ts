/** The connection to a server that is away, says nothing, or cannot be asked for want of the package. */
import { createServer } from 'node:net';
import { type Log, uncontained } from '@holdfast/control-api';
import { MAX_STANZA_BYTES } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { Component, LAST_PAUSE_MS, OUTBOX_MAX, TAKEN_MS } from '../../dist/xmpp/component.js';
import { loadComponentLibrary } from '../../dist/xmpp/component-library.js';
import { ManualClock } from '../kit/manual-clock.js';
import { deadPort } from '../kit/ports.js';
import { until } from '../kit/until.js';

async function fixture(t: Test, port: number) {
  const clock = new ManualClock();
  const lines: { readonly level: string; readonly text: string; readonly pause: unknown }[] = [];
  const note = (level: string) => (fields: object, text: string) =>
    void lines.push({ level, text, pause: (fields as { pause?: unknown }).pause });
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') } as unknown as Log;
  const place = { domain: 'push.example', host: '127.0.0.1', port };
  const owner = { received: () => {} };
  const deps = { clock, faults: uncontained, random: () => 0, log };
  const component = new Component(place, 'secret', await loadComponentLibrary(), owner, deps);
  t.teardown(() => component.stop());
  return { clock, lines, component };
}

t.test('attempts follow each other at twice the pause, up to a minute; each reason is a warning once', async (t) => {
  const { clock, lines, component } = await fixture(t, await deadPort());
  component.start();
  for (let attempt = 1; attempt <= 8; attempt++) {
    await until(`attempt ${attempt}`, () => lines.length === attempt);
    clock.advance(lines.at(-1)?.pause as number);
  }
  t.strictSame(
    lines.slice(0, 8).map(({ pause }) => pause),
    [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, LAST_PAUSE_MS, LAST_PAUSE_MS],
  );
  t.strictSame(
    lines.slice(0, 3).map(({ level }) => level),
    ['warn', 'debug', 'debug'],
  );
  t.match(
    lines[0]?.text,
    /^XMPP: no connection for the component push\.example: .*ECONNREFUSED.*; the next attempt is in 1000 ms$/,
  );
});

t.test('a server that says nothing is given up after a while', async (t) => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const connected = new Promise((resolve) => server.once('connection', resolve));
  const { clock, lines, component } = await fixture(t, (server.address() as { port: number }).port);
  component.start();
  await connected;
  t.strictSame(lines, []);
  clock.advance(TAKEN_MS);
  await until('given up', () => lines.length > 0);
  t.match(lines[0]?.text, /did not answer|timeout/i);
});

t.test('what waits for the server has a limit', async (t) => {
  const { component } = await fixture(t, 1);
  const stanza = 'x'.repeat(MAX_STANZA_BYTES);
  for (let bytes = 0; bytes < OUTBOX_MAX; bytes += stanza.length) t.equal(component.send(stanza), true);
  t.equal(component.hasRoom, false);
  t.equal(component.send(stanza), false);
  t.equal(component.waiting, OUTBOX_MAX);
});

t.test('without the package the start fails, and says what to install', async (t) => {
  const absent = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  await t.rejects(
    loadComponentLibrary(() => Promise.reject(absent)),
    {
      code: 'ERR_CONFIG_CONFLICT',
      message: /^xmpp_component: the package @xmpp\/component is not installed: run `npm install @xmpp\/component`/,
    },
  );
  await t.rejects(
    loadComponentLibrary(() => Promise.reject(new Error('broken'))),
    { message: /cannot be loaded \(broken\)/ },
  );
});
