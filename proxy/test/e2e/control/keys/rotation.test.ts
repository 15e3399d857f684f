/** Keys that change while the node runs. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { open } from '../../../kit/clients/http-client.js';
import { until } from '../../../kit/until.js';
import { isLog, item, OPS, publish, SECRET, SIGNS, start, token } from './keys-fixture.js';

t.test('a key is changed by SIGHUP while 1,000 publishes run: none is refused', async (t) => {
  const before = { id: 'a', key: SECRET, allow: ['publish'] };
  const { holdfast, write } = await start(t, [before, { id: 'b', key: SIGNS, iss: 'b' }]);
  const stream = await open(t, `${holdfast.clients}/`);
  await stream.until('opened\n');
  let current = SECRET;
  let signs = SIGNS;
  let sent = 0;
  const refused: number[] = [];
  const run = async () => {
    while (sent < 1_000) {
      const n = ++sent;
      const headers =
        n % 2 === 0
          ? { 'x-api-key': current }
          : { authorization: `Bearer ${token({ iss: 'b', jti: String(n) }, signs)}` };
      const { status } = await publish(holdfast, headers, item());
      if (status !== 200) refused.push(status);
    }
  };
  const publishers = Array.from({ length: 8 }, run);
  const previous_until = new Date(Date.now() + 3_600_000).toISOString();
  for (let i = 1; i <= 4; i++) {
    await until(`${i * 200} publishes`, () => sent >= i * 200);
    const next = [`${SECRET}-${i}`, `${SIGNS}-${i}`] as const;
    write([
      { ...before, key: next[0], previous: current, previous_until },
      { id: 'b', key: next[1], previous: signs, previous_until, iss: 'b' },
    ]);
    holdfast.child.signal('SIGHUP');
    await until('the new key', async () => (await publish(holdfast, { 'x-api-key': next[0] })).status === 200);
    [current, signs] = next;
  }
  await Promise.all(publishers);
  t.same(refused, []);
  await stream.until(`opened\n${'x\n'.repeat(1_000)}`);
  t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 401 }, 'the first key is gone');
});

t.test(
  'a bad keys file changes nothing, and the log says which entry and line; a good one is taken without being asked',
  async (t) => {
    const { holdfast, file, write } = await start(t, [{ id: 'a', key: SECRET }]);
    const bad = '- id: a\n  key: fresh-key-0123456789\n- id: b\n  key: other-key-0123456789\n  rate: fast\n';
    writeFileSync(file, bad);
    await holdfast.record('of the problem', isLog(`${file}:5: entry 2 (b): rate: expected a whole number`));
    await holdfast.record('of the decision', isLog('keeping the keys in force'));
    t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 200 });
    t.match(await publish(holdfast, { 'x-api-key': 'fresh-key-0123456789' }, item()), { status: 401 });
    for (const [content, problem] of [
      ['', 'it has no keys'],
      ['- id: a\n  key: *x\n', 'has to be in quotes'],
      ['- id: a\n  key: "x\n', 'it is not valid YAML'],
    ] as const) {
      writeFileSync(file, content);
      holdfast.child.signal('SIGHUP');
      await holdfast.record(problem, isLog(problem));
      t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 200 }, problem);
    }
    write([{ id: 'a', key: OPS }]);
    await until('the new key', async () => (await publish(holdfast, { 'x-api-key': OPS }, item())).status === 200);
    t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 401 });
  },
);

t.test('a running tap ends when its key is taken away', async (t) => {
  const { holdfast, write } = await start(t, [
    { id: 'a', key: SECRET, allow: 'tap' },
    { id: 'b', key: SIGNS },
  ]);
  const response = await fetch(`${holdfast.control}/channels/room/items`, { headers: { 'x-api-key': SECRET } });
  t.equal(response.status, 200);
  await publish(holdfast, { 'x-api-key': SIGNS }, item(), item());
  write([{ id: 'b', key: SIGNS }]);
  const text = await response.text();
  t.match(text, /\{"end":"revoked"/);
  const ended = await holdfast.record('of its end', isLog('control request ended'));
  t.match(ended, { key: 'a', action: 'tap', items: 2, client: '127.0.0.1' });
});
