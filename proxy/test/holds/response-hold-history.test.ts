/** Response holds with prev-ids that the history serves before their origin is asked again. */
import t, { type Test } from 'tap';
import type { Answer } from '../kit/clients/http-client.js';
import { until } from '../kit/until.js';
import { HoldScene } from './hold-scene.js';

const tracked = (prevId: string) => ({ 'Grip-Channel': `room; prev-id=${prevId}` });
const item = (scene: HoldScene, n: number) => scene.respond('room', `${n}`, { id: `${n}`, 'prev-id': `${n - 1}` });
const keeping = (t: Test, historySize = 10) => HoldScene.open(t, { route: 'history', historySize });

const textOf = async (answer: Promise<Answer>) => {
  const got = await answer;
  await got.end();
  return got.text;
};

t.test('a hold that is behind is answered at once with the first item that follows', async (t) => {
  const scene = await keeping(t);
  for (const n of [1, 2, 3]) item(scene, n);
  const { answer } = await scene.poll(tracked('1'));
  const got = await answer;
  await got.end();
  t.equal(got.text, '2');
  t.equal(scene.origin.all.length, 1);
  t.strictSame(
    ['sent response', 'replayed response', 'replay response complete'].map((what) => scene.count(what)),
    [1, 1, 1],
  );
});

t.test('a hold that has all waits for the next', async (t) => {
  const scene = await keeping(t);
  item(scene, 1);
  const { answer } = await scene.poll(tracked('1'));
  await until('the answer of the history', () => scene.count('replay response complete') === 1);
  item(scene, 2);
  t.equal(await (await answer).end(), 'complete');
  t.equal((await answer).text, '2');
  t.equal(scene.origin.all.length, 1);
});

t.test('an item that does not follow is not asked for where the history knows what is between', async (t) => {
  const scene = await keeping(t);
  item(scene, 1);
  const { answer } = await scene.poll(tracked('1'));
  await until('the answer of the history', () => scene.count('replay response complete') === 1);
  scene.backplane.unsubscribe('room');
  item(scene, 2);
  void scene.backplane.subscribe('room');
  item(scene, 3);
  t.equal(await textOf(answer), '2');
  t.equal(scene.origin.all.length, 1);
});

t.test('items without a body for it are passed over', async (t) => {
  const scene = await keeping(t);
  item(scene, 1);
  scene.send('room', 'for streams', { id: '2', 'prev-id': '1' });
  const { answer } = await scene.poll(tracked('1'));
  await until('the answer of the history', () => scene.count('replay response complete') === 1);
  item(scene, 3);
  t.equal(await textOf(answer), '3');
});

t.test('an origin that the history leaves in doubt is asked again: overtaken, and not kept', async (t) => {
  const scene = await HoldScene.open(t, { route: 'history', historySize: 1, linger: 60_000 });
  const first = await scene.poll({ 'Grip-Channel': 'room' });
  item(scene, 2);
  await first.answer;
  item(scene, 3);
  const answer = scene.ask();
  answer.catch(() => {});
  (await scene.asked()).answer({ headers: { 'Grip-Hold': 'response', ...tracked('1') } });
  const again = await scene.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  t.equal(scene.count('replay response incomplete'), 1);
});

t.test('where nothing is known at all the hold waits, as without a history', async (t) => {
  const scene = await keeping(t);
  const { answer } = await scene.poll(tracked('1'));
  await until('the answer of the history', () => scene.count('replay response incomplete') === 1);
  item(scene, 2);
  t.equal(await textOf(answer), '2');
  t.equal(scene.origin.all.length, 1);
});

t.test('a gap that the history cannot fill is the origin’s, in its turn', async (t) => {
  const scene = await keeping(t);
  const held = await scene.poll(tracked('1'));
  held.answer.catch(() => {});
  await until('the answer of the history', () => scene.count('replay response incomplete') === 1);
  item(scene, 3);
  await until('a turn for the origin', () => {
    scene.clock.advance(100);
    return scene.origin.all.length === 2;
  });
  t.strictSame((await scene.asked()).lastIds, ['room; last-id=1']);
});

t.test('many holds that missed the same share what is read', async (t) => {
  const scene = await keeping(t);
  for (const n of [1, 2]) item(scene, n);
  let reads = 0;
  const { read } = scene.backplane;
  scene.backplane.read = (...args) => {
    reads++;
    return read.apply(scene.backplane, args);
  };
  const answers = Array.from({ length: 50 }, () => scene.ask());
  const asked = [];
  for (let i = 0; i < 50; i++) asked.push(await scene.asked());
  for (const one of asked) one.answer({ headers: { 'Grip-Hold': 'response', ...tracked('1') } });
  for (const answer of answers) t.equal(await textOf(answer), '2');
  t.ok(reads < 50, `${reads} reads`);
});
