/** The market of the examples: an API of JSON lines behind the real proxy, which its clients do not see. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';
import { type Cuttable, makeCuttable } from '../holds/cuttable.js';

interface Trade {
  readonly id: number;
  readonly price: number;
  readonly at: string;
}

interface Market {
  readonly origin: Child;
  readonly holdfast: Holdfast;
  /** Base URL for clients; it stays when Holdfast is started again. */
  readonly api: string;
  /** Between the origin and the control API. */
  readonly control: Cuttable;
  readonly startHoldfast: () => Promise<Holdfast>;
}

async function startMarket(t: Test, edge = 'node'): Promise<Market> {
  const [clients, control, port] = [await freePort(), await freePort(), await freePort()];
  const start = () =>
    startHoldfast(t, {
      routes: [`* 127.0.0.1:${port}`],
      settings: { edge, http_port: `127.0.0.1:${clients}`, push_in_http_port: control, client_half_close_grace: 0 },
    });
  const holdfast = await start();
  const wire = await makeCuttable(t, holdfast.control);
  const origin = startChild(t, {
    command: process.execPath,
    args: [join(root, 'examples/market/server.mjs')],
    env: { PORT: `${port}`, GRIP_URL: `${wire.url}/`, TRADE_EVERY_MS: '5' },
  });
  await origin.line(/listening on http:\/\/\S+\n/);
  return { origin, holdfast, api: `http://127.0.0.1:${clients}/v1`, control: wire, startHoldfast: start };
}

/** The lines of a text that have ended; empty ones keep connections open. */
const linesOf = <T = Trade>(text: string): T[] =>
  text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);

/** Fails unless these are ids without a hole, none twice. */
function follow(t: Test, trades: readonly Trade[], first: number): void {
  t.strictSame(
    trades.map(({ id }) => id),
    Array.from(trades, (_, i) => first + i),
  );
}

for (const edge of ['node', 'uws']) {
  t.test(`${edge}: trades are JSON lines: those after an id, then each as it happens`, async (t) => {
    const { api, holdfast } = await startMarket(t, edge);
    const stream = await open(t, `${api}/trades/stream?after=0`);
    t.match(stream, { status: 200, headers: { 'content-type': 'application/x-ndjson' } });
    t.notOk(Object.keys(stream.headers).some((name) => /grip|holdfast/.test(name)));
    const curl = startChild(t, { command: 'curl', args: ['-sN', `${api}/trades/stream`] });
    await until('lines of both', () => linesOf(stream.text).length >= 50 && linesOf(curl.stdout).length >= 20);
    follow(t, linesOf(stream.text), 1);
    const live = linesOf(curl.stdout);
    follow(t, live, live[0]?.id ?? 0);
    await holdfast.holds('stream', 2);
    const page = JSON.parse((await ask(t, `${api}/trades?after=10`)).text) as Trade[];
    follow(t, page, 11);
    t.ok((await holdfast.metric('holdfast_items_delivered_total{kind="stream"}')) > 0 || live.length > 0);
  });
}

t.test('the stream of the price begins with the price of now', async (t) => {
  const { api } = await startMarket(t);
  const stream = await open(t, `${api}/price/stream`);
  await until('lines', () => linesOf(stream.text).length >= 20);
  const prices = linesOf<{ price: number; at: string }>(stream.text);
  const trades = JSON.parse((await ask(t, `${api}/trades?after=0`)).text) as Trade[];
  const ids = prices.map((one) => trades.find(({ at, price }) => at === one.at && price === one.price)?.id ?? 0);
  t.strictSame(
    ids,
    [...new Set(ids)].sort((one, other) => one - other),
    'none twice, none behind a later one',
  );
  // Where one was published between the answer and the hold, the stream went on with the newest.
  t.strictSame(
    ids.slice(-10),
    Array.from({ length: 10 }, (_, i) => (ids.at(-10) ?? 0) + i),
    'from then on each',
  );
  t.match(JSON.parse((await ask(t, `${api}/price`)).text), { price: Number, at: /Z$/ });
});

t.test('a client that goes on after its last trade loses none, though Holdfast is killed', async (t) => {
  const { api, holdfast, control, startHoldfast } = await startMarket(t);
  const trades: Trade[] = [];
  let requests = 0;
  // As docs/recipes/json-lines.md has it.
  const read = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      const after = trades.at(-1)?.id ?? 0;
      try {
        const response = await fetch(`${api}/trades/stream?after=${after}`, { signal });
        requests++;
        let rest = '';
        for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
          const lines = (rest + text).split('\n');
          rest = lines.pop() as string;
          for (const line of lines) if (line !== '') trades.push(JSON.parse(line));
        }
      } catch {
        await delay(10);
      }
    }
  };
  const stopped = new AbortController();
  const reading = read(stopped.signal);
  t.teardown(async () => {
    stopped.abort();
    await reading;
  });
  await until('trades', () => trades.length >= 30);
  // Refused, as by a machine that is gone.
  control.sever();
  holdfast.child.signal('SIGKILL');
  await holdfast.child.exited;
  const before = trades.length;
  await startHoldfast();
  await control.mend();
  await until('more trades', () => trades.length >= before + 30);
  follow(t, trades, 1);
  t.ok(requests >= 2);
});

t.test('what was not published is asked for: a stream has every trade though publishes fail', async (t) => {
  const { api, control, origin } = await startMarket(t);
  const stream = await open(t, `${api}/trades/stream?after=0`);
  let count = 0;
  for (let round = 0; round < 2; round++) {
    await stream.until(`"id":${count + 20},`);
    control.sever();
    const failures = origin.stderr.split('not published').length;
    await until('publishes that fail', () => origin.stderr.split('not published').length > failures + 3);
    await control.mend();
    count = Number(/trade (\d+) not published[^\n]*\n$/.exec(origin.stderr)?.[1]);
  }
  await stream.until(`"id":${count + 20},`);
  follow(t, linesOf(stream.text), 1);
});

t.test('after a trade that is not kept, or is none, there is nothing to go on from', async (t) => {
  const { api } = await startMarket(t);
  for (const after of ['-1', '1e3', '999999', 'x', '', '1&after=2', '9'.repeat(400)]) {
    for (const path of ['trades', 'trades/stream']) {
      const answer = await ask(t, `${api}/${path}?after=${after}`);
      t.match(answer, { status: 410, headers: { 'content-type': /json/ } }, `${path}?after=${after}`);
    }
  }
});
