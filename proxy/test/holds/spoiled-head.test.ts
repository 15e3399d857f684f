/** A head that cannot be put on the wire when it is to go out: its client is answered 502, its hold is over, nobody else notices. */

import { type HttpResponseFormat, parseItem } from '@holdfast/grip';
import t from 'tap';
import { Turn } from '../kit/turn.js';
import { HoldScene } from './hold-scene.js';

const room = { 'Grip-Channel': 'room' };
const spoiled = { ...room, 'X-Spoiled': '1' };
const BAD_GATEWAY = { status: 502, reason: 'Bad Gateway', headers: { 'content-type': 'text/plain' } };

/** A client beside, which is to get what is published afterwards. */
async function beside(scene: HoldScene): Promise<() => Promise<void>> {
  const stream = await scene.stream({ 'Grip-Channel': 'beside' }, { body: 'open', path: '/beside' });
  return async () => {
    scene.send('beside', 'item');
    await stream.until('item');
  };
}

for (const [when, act, reason] of [
  ['at its time-out', (scene: HoldScene) => scene.clock.advance(55_000), 'timeout'],
  [
    'when the node goes down',
    (scene: HoldScene) => scene.registry.of('room').forEach((hold) => void hold.drain()),
    'shutdown',
  ],
  ['by an item', (scene: HoldScene) => scene.respond('room', 'item'), 'answered'],
] as const) {
  t.test(`a long poll that is answered ${when}`, async (t) => {
    const scene = await HoldScene.open(t, { spoils: true });
    const other = await beside(scene);
    const { answer } = await scene.poll(spoiled);
    act(scene);
    t.match(await answer, BAD_GATEWAY);
    await (await answer).until('Error while proxying to origin.\n');
    t.match(scene.ends, [{ kind: 'response', reason }]);
    t.equal(scene.registry.count('room'), 0);
    t.match(scene.warnings, [/its answer cannot be sent/]);
    await other();
  });
}

t.test('an item whose own reason cannot be sent', async (t) => {
  const scene = await HoldScene.open(t);
  const item = parseItem({ channel: 'room', formats: { 'http-response': { body: 'x' } } });
  for (const reason of ['a\r\nb', '\u010d\u010aX: y', '\u0000']) {
    const { answer } = await scene.poll(room);
    const format: HttpResponseFormat = { action: 'send', code: 200, reason, headers: [], body: Buffer.from('x') };
    void scene.backplane.publish([{ type: 'item', item: { ...item, formats: { httpResponse: format } }, id: reason }]);
    t.match(await answer, BAD_GATEWAY, JSON.stringify(reason));
    t.equal(scene.registry.size, 0);
  }
  t.equal(scene.clock.pending, 0);
});

t.test('the answer to a hold that asks its origin again', async (t) => {
  const scene = await HoldScene.open(t, { spoils: true });
  const { answer } = await scene.poll(room);
  scene.publish('room', { 'http-response': { action: 'hint' } });
  (await scene.asked()).answer({ headers: { 'X-Spoiled': '1' }, body: 'relayed' });
  t.match(await answer, BAD_GATEWAY);
  await scene.ended(2);
  t.match(scene.requests[1], { status: 502, error: 'ERR_EDGE_HEAD', retry: true });
  t.equal(scene.registry.size, 0);
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
      const scene = await HoldScene.open(t, { spoils: true, ...(isLate ? { live: new Turn() } : {}) });
      const answer = scene.ask();
      (await scene.asked()).answer(given);
      if (isLate) {
        await scene.timers(1);
        scene.clock.advance(1_000);
      }
      t.match(await answer, BAD_GATEWAY);
      await (await answer).until('Error while proxying to origin.\n');
      await scene.ended(1);
      t.match(scene.requests, [{ status: 502, error: 'ERR_EDGE_HEAD' }]);
      t.equal(scene.registry.size, 0);
      t.equal(scene.count('ended stream origin-failed'), 1);
      t.equal(scene.clock.pending, 0);
    });
  }
}

t.test('a document without a hold, and a relayed answer', async (t) => {
  const scene = await HoldScene.open(t, { spoils: true });
  for (const given of [
    { headers: { 'Content-Type': 'application/grip-instruct' }, body: '{"response":{"headers":{"X-Spoiled":"1"}}}' },
    { headers: { 'X-Spoiled': '1' }, body: 'x' },
  ]) {
    const answer = scene.ask();
    (await scene.asked()).answer(given);
    t.match(await answer, BAD_GATEWAY);
  }
});
