/** A head that cannot be put on the wire when it is to go out: its client is answered 502, its hold is over, nobody else notices. */

import { type HttpResponseFormat, parseItem } from '@holdfast/grip';
import t from 'tap';
import { Turn } from '../kit/turn.js';
import { HoldFixture } from './hold-fixture.js';

const room = { 'Grip-Channel': 'room' };
const spoiled = { ...room, 'X-Spoiled': '1' };
const BAD_GATEWAY = { status: 502, reason: 'Bad Gateway', headers: { 'content-type': 'text/plain' } };

/** A client beside, which is to get what is published afterwards. */
async function beside(fixture: HoldFixture): Promise<() => Promise<void>> {
  const stream = await fixture.stream({ 'Grip-Channel': 'beside' }, { body: 'open', path: '/beside' });
  return async () => {
    fixture.send('beside', 'item');
    await stream.until('item');
  };
}

for (const [when, act, reason] of [
  ['at its time-out', (fixture: HoldFixture) => fixture.clock.advance(55_000), 'timeout'],
  [
    'when the node goes down',
    (fixture: HoldFixture) => fixture.registry.of('room').forEach((hold) => void hold.drain()),
    'shutdown',
  ],
  ['by an item', (fixture: HoldFixture) => fixture.respond('room', 'item'), 'answered'],
] as const) {
  t.test(`a long poll that is answered ${when}`, async (t) => {
    const fixture = await HoldFixture.open(t, { spoils: true });
    const other = await beside(fixture);
    const { answer } = await fixture.poll(spoiled);
    act(fixture);
    t.match(await answer, BAD_GATEWAY);
    await (await answer).until('Error while proxying to origin.\n');
    t.match(fixture.ends, [{ kind: 'response', reason }]);
    t.equal(fixture.registry.count('room'), 0);
    t.match(fixture.warnings, [/its answer cannot be sent/]);
    await other();
  });
}

t.test('an item whose own reason cannot be sent', async (t) => {
  const fixture = await HoldFixture.open(t);
  const item = parseItem({ channel: 'room', formats: { 'http-response': { body: 'x' } } });
  for (const reason of ['a\r\nb', '\u010d\u010aX: y', '\u0000']) {
    const { answer } = await fixture.poll(room);
    const format: HttpResponseFormat = { action: 'send', code: 200, reason, headers: [], body: Buffer.from('x') };
    void fixture.backplane.publish([
      { type: 'item', item: { ...item, formats: { httpResponse: format } }, id: reason },
    ]);
    t.match(await answer, BAD_GATEWAY, JSON.stringify(reason));
    t.equal(fixture.registry.size, 0);
  }
  t.equal(fixture.clock.pending, 0);
});

t.test('the answer to a hold that asks its origin again', async (t) => {
  const fixture = await HoldFixture.open(t, { spoils: true });
  const { answer } = await fixture.poll(room);
  fixture.publish('room', { 'http-response': { action: 'hint' } });
  (await fixture.asked()).answer({ headers: { 'X-Spoiled': '1' }, body: 'relayed' });
  t.match(await answer, BAD_GATEWAY);
  await fixture.ended(2);
  t.match(fixture.requests[1], { status: 502, error: 'ERR_EDGE_HEAD', retry: true });
  t.equal(fixture.registry.size, 0);
});

const document = (response: object, mode: string) => ({
  headers: { 'Content-Type': 'application/grip-instruct' },
  body: JSON.stringify({ hold: { mode, channels: [{ name: 'room' }] }, response }),
});

for (const [form, given] of [
  ['headers', { headers: { 'Grip-Hold': 'stream', ...spoiled }, body: 'x' }],
  ['JSON', document({ headers: { 'X-Spoiled': '1' }, body: 'x' }, 'stream')],
] as const) {
  for (const isLate of [false, true]) {
    t.test(`a stream by ${form}${isLate ? ' that waits for its subscription' : ''}`, async (t) => {
      const fixture = await HoldFixture.open(t, { spoils: true, ...(isLate ? { live: new Turn() } : {}) });
      const answer = fixture.ask();
      (await fixture.asked()).answer(given);
      if (isLate) {
        await fixture.timers(1);
        fixture.clock.advance(1_000);
      }
      t.match(await answer, BAD_GATEWAY);
      await (await answer).until('Error while proxying to origin.\n');
      await fixture.ended(1);
      t.match(fixture.requests, [{ status: 502, error: 'ERR_EDGE_HEAD' }]);
      t.equal(fixture.registry.size, 0);
      t.equal(fixture.count('ended stream origin-failed'), 1);
      t.equal(fixture.clock.pending, 0);
    });
  }
}

t.test('a document without a hold, and a relayed answer', async (t) => {
  const fixture = await HoldFixture.open(t, { spoils: true });
  for (const given of [
    { headers: { 'Content-Type': 'application/grip-instruct' }, body: '{"response":{"headers":{"X-Spoiled":"1"}}}' },
    { headers: { 'X-Spoiled': '1' }, body: 'x' },
  ]) {
    const answer = fixture.ask();
    (await fixture.asked()).answer(given);
    t.match(await answer, BAD_GATEWAY);
  }
});
