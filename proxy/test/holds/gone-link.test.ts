/** Gone links: the origin hears once of the end of every hold that asked for it. */
import t from 'tap';
import { ANSWER_MAX } from '../../dist/links/link-client.js';
import { until } from '../edge/wait.js';
import { HoldScene } from './hold-scene.js';
import type { Asked } from './pull-origin.js';

const GONE = '</gone?id=1>; rel=gone';
const room = { 'Grip-Channel': 'room; prev-id=1', 'Grip-Link': GONE };
const stream = { 'Grip-Hold': 'stream', 'Grip-Channel': 'room', 'Grip-Link': GONE };

/** The next request must be the report, with nothing in it. */
async function reported(t: { match(a: unknown, b: unknown): unknown }, scene: HoldScene): Promise<Asked> {
  const asked = await scene.asked();
  t.match(asked, { method: 'POST', url: '/gone?id=1', lastIds: [], headers: { 'content-length': '0' } });
  t.match(asked.body.length, 0);
  return asked;
}

const ends: [string, (scene: HoldScene) => unknown][] = [
  ['an item', (scene) => scene.respond('room', 'x', { id: '2', 'prev-id': '1' })],
  ['the time-out', (scene) => scene.clock.advance(55_000)],
];
for (const [what, end] of ends) {
  t.test(`a response hold that ${what} has answered`, async (t) => {
    const scene = await HoldScene.open(t);
    const { answer } = await scene.poll(room);
    await end(scene);
    await answer;
    (await reported(t, scene)).answer({});
    t.equal(scene.origin.all.length, 2);
  });
}

t.test('a response hold that goes back to its origin', async (t) => {
  const scene = await HoldScene.open(t);
  await scene.poll(room);
  scene.publish('room', { 'http-response': { action: 'hint' } });
  const requests = [await scene.asked(), await scene.asked()];
  t.strictSame(requests.map(({ method }) => method).sort(), ['GET', 'POST']);
});

t.test('a stream that was closed, whose client left, or whose link failed', async (t) => {
  const scene = await HoldScene.open(t);
  await scene.stream(stream);
  scene.act('room', 'close');
  await reported(t, scene);

  const second = await scene.stream(stream);
  await scene.drop(second, 2);
  await reported(t, scene);

  await scene.stream({ ...stream, 'Grip-Link': `${GONE}, </next>; rel=next` }, { timers: 1 });
  scene.act('room', 'hint');
  (await scene.asked()).answer({ headers: { 'Grip-Hold': 'response' } });
  await reported(t, scene);
  t.match(scene.ends, [{ reason: 'closed' }, { reason: 'client-gone' }, { reason: 'link-failed' }]);
});

t.test('only the link of the first answer counts', async (t) => {
  const scene = await HoldScene.open(t);
  await scene.stream({ ...stream, 'Grip-Link': `${GONE}, </a/next>; rel=next` }, { timers: 1 });
  scene.act('room', 'hint');
  const links = '</other>; rel=gone, </a/next>; rel=next';
  (await scene.asked()).answer({ headers: { ...stream, 'Grip-Link': links } });
  await scene.timers(1);
  scene.act('room', 'close');
  await reported(t, scene);
  t.equal(scene.origin.all.length, 3);
});

t.test('it is relative to the client’s URL, signed, and without the client’s fields', async (t) => {
  const scene = await HoldScene.open(t, { sigKey: 'secret' });
  const answer = scene.ask('/a/b', { headers: { Cookie: 'c' } });
  (await scene.asked()).answer({ headers: { ...stream, 'Grip-Link': '<gone>; rel=gone' } });
  await answer;
  scene.act('room', 'close');
  const asked = await scene.asked();
  t.equal(asked.url, '/a/gone');
  t.ok(asked.headers['grip-sig']);
  t.equal(asked.headers.cookie, undefined);
});

t.test('not when the node goes down', async (t) => {
  const scene = await HoldScene.open(t);
  const opened = await scene.stream(stream);
  const { answer } = await scene.poll(room);
  scene.shutDown();
  await opened.end();
  await answer;
  // Whatever was sent before this request has come before it.
  const last = scene.ask('/last');
  const asked = await scene.asked();
  t.equal(asked.url, '/last');
  asked.answer({});
  await last;
  t.equal(scene.origin.all.length, 3);
});

t.test('a report that fails is not repeated, and disturbs nobody', async (t) => {
  const scene = await HoldScene.open(t);
  await scene.stream(stream);
  scene.act('room', 'close');
  (await reported(t, scene)).breakOff();
  const next = scene.ask('/next');
  const asked = await scene.asked();
  t.equal(asked.url, '/next');
  asked.answer({});
  t.equal((await next).status, 200);
});

t.test('an answer without end is broken off', async (t) => {
  const scene = await HoldScene.open(t);
  await scene.stream(stream);
  scene.act('room', 'close');
  const asked = await reported(t, scene);
  asked.begin({}, Buffer.alloc(ANSWER_MAX));
  asked.write(Buffer.alloc(1));
  await until(() => asked.gone);
});
