import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ItemPublisher, MAX_BATCH, MAX_UNPUBLISHED } from '../../../dist/commands/load/publisher.js';

// They wait most of the time.
t.jobs = 5;

const clock = () => performance.timeOrigin + performance.now();

/** A control API with these answers, and what it was sent. */
async function startControl(t: Test, answer: (call: number) => number | Promise<number>) {
  const calls: number[][] = [];
  const listener: RequestListener = async (request, response) => {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    const { items } = JSON.parse(body) as { items: { id: string }[] };
    calls.push(items.map(({ id }) => Number(id.slice(id.lastIndexOf('-') + 1))));
    response.writeHead(await answer(calls.length)).end('said\n');
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/publish/`);
  return { calls, control: () => ({ url, authorization: undefined }) };
}

const items = (last: number, every: number, size = 100) => ({
  schedule: { run: 'run-1', first: clock(), every, last },
  channel: 'c',
  kind: 'sse' as const,
  size,
});

t.test(
  'what is due while the control API is slow goes together, in order, and is timed from when it was due',
  async (t) => {
    const { calls, control } = await startControl(t, async (call) => {
      if (call === 1) await delay(120);
      return 200;
    });
    const publisher = new ItemPublisher(control);
    t.equal(await publisher.run(items(10, 10), new AbortController().signal), 10);
    t.strictSame(calls.flat(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    t.ok(calls.length < 10);
    t.ok((calls[1]?.length ?? 0) > 3);
    t.equal(publisher.published, 10);
    t.ok((publisher.acceptance.quantile(1) ?? 0) >= 110_000);
  },
);

t.test('one call has no more items, and no more bytes, than it may', async (t) => {
  const { calls, control } = await startControl(t, () => 200);
  const publisher = new ItemPublisher(control);
  const { signal } = new AbortController();
  await publisher.run(
    { ...items(1_200, 0.001), schedule: { ...items(1_200, 0.001).schedule, first: clock() - 100 } },
    signal,
  );
  t.same(
    calls.map(({ length }) => length),
    [MAX_BATCH, MAX_BATCH, 200],
  );
  calls.length = 0;
  await publisher.run({ ...items(5, 0.001, 200_000) }, signal);
  t.ok(calls.every(({ length }) => length <= 2));
});

t.test('a call without an answer in time is made again', async (t) => {
  const { calls, control } = await startControl(t, (call) => (call === 1 ? new Promise(() => {}) : 200));
  const publisher = new ItemPublisher(control, 200);
  await publisher.run(items(1, 10), new AbortController().signal);
  t.ok(calls.length >= 2);
  t.strictSame(new Set(calls.flat()), new Set([1]));
  t.match(publisher, { published: 1, unpublished: [] });
});

t.test('a control API that accepts nothing ends the run', async (t) => {
  const { control } = await startControl(t, () => 403);
  const publisher = new ItemPublisher(control);
  const many = items(MAX_UNPUBLISHED * 5, 0.001);
  await publisher.run(
    { ...many, schedule: { ...many.schedule, first: clock() - 1_000 } },
    new AbortController().signal,
  );
  t.equal(publisher.unpublished.length, MAX_UNPUBLISHED);
  t.equal(publisher.complaint, '403 said');
  t.equal(publisher.published, 0);
});

t.test('what cannot be published is said before anything begins', async (t) => {
  const { control, calls } = await startControl(t, () => 401);
  await t.rejects(new ItemPublisher(control).check(items(1, 1)), {
    code: 'ERR_LOAD_PUBLISH',
    message: /^cannot publish to http:\S+\/publish\/: 401 said$/,
  });
  t.same(calls, [[0]], 'an item that nobody counts');
});
