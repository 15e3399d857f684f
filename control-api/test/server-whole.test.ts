/** Publishes that are read past node's parser, and what happens where its parser takes over. */
import t from 'tap';
import type { Backplane } from '../dist/index.js';
import { publishBody, startControl } from './control-fixture.js';
import { RawClient, requestBytes } from './raw-client.js';

const publish = (id: string, headers: Record<string, string> = {}) =>
  requestBytes('POST', '/publish/', headers, publishBody(['a', id]));

const chunked = (id: string) => {
  const body = publishBody(['a', id]);
  const head = 'POST /publish/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
  return `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
};

/** A backplane that accepts when it is let. */
function slowBackplane() {
  const waiting: (() => void)[] = [];
  const taken: string[] = [];
  const publish: Backplane['publish'] = (messages) => {
    for (const message of messages) if (message.type === 'item') taken.push(message.id);
    return new Promise((resolve) => waiting.push(() => resolve(messages.map(() => ({ duplicate: false })))));
  };
  const others = { start: async () => {}, subscribe: () => undefined, unsubscribe() {}, close: async () => {} };
  return { waiting, taken, backplane: { publish, unavailableReason: undefined, ...others } as Backplane };
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

async function until(what: () => boolean): Promise<void> {
  while (!what()) await soon();
}

t.test('an answer has the fields that answers of node have', async (t) => {
  const { client } = await startControl(t);
  const connection = await client();
  for (const accept of ['*/*', 'application/json']) {
    await connection.write(publish('1', { Accept: accept }));
    const whole = await connection.answer();
    // With a field that only node's parser takes.
    const other = await client();
    await other.write(publish('1', { Accept: accept, 'X-Odd': '\xe4' }));
    const usual = await other.answer();
    t.ok(whole && usual);
    t.strictSame(Object.keys(whole?.headers ?? {}), Object.keys(usual?.headers ?? {}));
    const { date, ...fields } = whole?.headers ?? {};
    const { date: usualDate, ...usualFields } = usual?.headers ?? {};
    t.strictSame(fields, usualFields);
    t.ok(Math.abs(Date.parse(date as string) - Date.parse(usualDate as string)) <= 1_000);
    t.equal(whole?.body, usual?.body);
    t.equal(whole?.reason, usual?.reason);
  }
});

t.test('in whatever parts requests come, all are published and answered in order', async (t) => {
  const { client, listener } = await startControl(t);
  const text = ['1', '2', '3', '4', '5'].map((id) => (id === '4' ? chunked(id) : publish(id))).join('');
  for (const size of [1, 7, 60, 150, 400, text.length]) {
    const before = listener.labels.length;
    const connection = await client();
    for (let at = 0; at < text.length; at += size) {
      await connection.write(text.slice(at, at + size));
      if (size > 50) await soon();
    }
    for (let i = 0; i < 5; i++)
      t.match(await connection.answer(), { status: 200, body: 'Published\n' }, `${size}, ${i}`);
    t.strictSame(listener.labels.slice(before), ['a/1', 'a/2', 'a/3', 'a/4', 'a/5'], String(size));
  }
});

t.test('answers keep the order of their requests, also where node’s parser has the later ones', async (t) => {
  const { backplane, waiting, taken } = slowBackplane();
  const { client } = await startControl(t, { backplane });
  const connection = await client();
  const wrong = requestBytes('POST', '/publish/', {}, 'x');
  await connection.write(publish('1') + publish('2') + wrong + chunked('3'));
  await until(() => waiting.length === 2);
  waiting[1]?.();
  await soon();
  waiting[0]?.();
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await connection.answer())?.status);
  t.strictSame(statuses, [200, 200, 400]);
  await until(() => waiting.length === 3);
  waiting[2]?.();
  t.match(await connection.answer(), { status: 200 });
  t.strictSame(taken, ['1', '2', '3']);
});

t.test('a client that has ended its side gets the answers', async (t) => {
  const { backplane, waiting } = slowBackplane();
  const { client } = await startControl(t, { backplane });
  const connection = await client();
  await connection.write(publish('1') + publish('2'));
  connection.end();
  await until(() => waiting.length === 2);
  for (const go of waiting) go();
  t.match([await connection.answer(), await connection.answer()], [{ status: 200 }, { status: 200 }]);
  await connection.closed;
});

t.test('what ends in the middle of a request is no request', async (t) => {
  const { client, listener, events } = await startControl(t);
  for (const part of [10, 60, publish('1').length - 1]) {
    const connection = await client();
    await connection.write(publish('1').slice(0, part));
    connection.end();
    t.equal(await connection.answer(), undefined);
    await connection.closed;
  }
  t.strictSame([listener.labels, events.seen], [[], []]);
});

t.test('a request that stands still has the time limit of all', async (t) => {
  const { client } = await startControl(t, { requestTimeoutMs: 1_500 });
  const connection = await client();
  await connection.write(publish('1').slice(0, -3));
  t.match(await connection.answer(), { status: 408 });
  await connection.closed;
});

t.test('a connection that sends nothing is closed without a word', async (t) => {
  const { client, events } = await startControl(t, { requestTimeoutMs: 300 });
  const connection = await client();
  t.equal(await connection.answer(), undefined);
  await connection.closed;
  t.strictSame(events.seen, []);
});

t.test('a close waits for the answers under way, and for nothing else', async (t) => {
  const { backplane, waiting } = slowBackplane();
  const { client, server } = await startControl(t, { backplane });
  const [idle, part, busy] = [await client(), await client(), await client()];
  await part.write(publish('1').slice(0, 50));
  await busy.write(publish('1') + publish('2'));
  await until(() => waiting.length === 2);
  let closed = false;
  const closing = server.close().then(() => {
    closed = true;
  });
  await Promise.all([idle.closed, part.closed]);
  t.notOk(closed);
  for (const go of waiting) go();
  t.match(await busy.answer(), { status: 200, headers: { connection: 'keep-alive' } });
  t.match(await busy.answer(), { status: 200, headers: { connection: 'close' } });
  await closing;
});

t.test('a connection whose publishes are not accepted is not read for ever', async (t) => {
  const { backplane, waiting, taken } = slowBackplane();
  const { client } = await startControl(t, { backplane });
  const connection = await client();
  const ids = Array.from({ length: 4_000 }, (_, i) => `${i}`);
  void connection.write(ids.map((id) => publish(id)).join(''));
  let before = -1;
  while (taken.length !== before) {
    before = taken.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  // What came in one piece with the last is taken.
  t.ok(before >= 256 && before < 1_000, `${before} were taken`);
  while (taken.length < ids.length) {
    for (const go of waiting.splice(0)) go();
    await soon();
  }
  for (const go of waiting) go();
  t.strictSame(taken, ids);
});

t.test('what is closed for others in the middle of a request gets no answer for those before it', async (t) => {
  const { backplane, waiting } = slowBackplane();
  const { client } = await startControl(t, { backplane, maxConnections: 1 });
  const connection = await client();
  await connection.write(publish('1') + publish('2').slice(0, -3));
  await until(() => waiting.length === 1);
  await soon();
  const next = await client();
  t.equal(await connection.answer(), undefined);
  waiting[0]?.();
  await next.write(publish('3'));
  await until(() => waiting.length === 2);
  waiting[1]?.();
  t.match(await next.answer(), { status: 200 });
});

t.test('a client that does not read its answers is not read either', async (t) => {
  const { port, listener } = await startControl(t);
  const connection = await RawClient.to(t, port);
  connection.pause();
  const many = Array.from({ length: 100 }, (_, i) => publish(`${i}`, { Accept: 'application/json' })).join('');
  for (let i = 0; i < 300; i++) void connection.write(many);
  let before = -1;
  while (listener.labels.length !== before) {
    before = listener.labels.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  t.ok(before < 29_000, `${before} were published`);
  connection.resume();
  await until(() => listener.labels.length === 30_000);
});
