/** Gone links: the origin hears once of the end of every hold that asked for it. */
import t from 'tap';
import { ANSWER_MAX } from '../../dist/links/link-client.js';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';
import type { Asked } from './pull-origin.js';

const GONE = '</gone?id=1>; rel=gone';
const room = { 'Grip-Channel': 'room; prev-id=1', 'Grip-Link': GONE };
const stream = { 'Grip-Hold': 'stream', 'Grip-Channel': 'room', 'Grip-Link': GONE };

/** The next request must be the report, with nothing in it. */
async function reported(t: { match(a: unknown, b: unknown): unknown }, fixture: HoldFixture): Promise<Asked> {
  const asked = await fixture.asked();
  t.match(asked, { method: 'POST', url: '/gone?id=1', lastIds: [], headers: { 'content-length': '0' } });
  t.match(asked.body.length, 0);
  return asked;
}

const ends: [string, (fixture: HoldFixture) => unknown][] = [
  ['an item', (fixture) => fixture.respond('room', 'x', { id: '2', 'prev-id': '1' })],
  ['the time-out', (fixture) => fixture.clock.advance(55_000)],
];
for (const [what, end] of ends) {
  t.test(`a response hold that ${what} has answered`, async (t) => {
    const fixture = await HoldFixture.open(t);
    const { answer } = await fixture.poll(room);
    await end(fixture);
    await answer;
    (await reported(t, fixture)).answer({});
    t.equal(fixture.origin.all.length, 2);
  });
}

t.test('a response hold that goes back to its origin', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.poll(room);
  fixture.publish('room', { 'http-response': { action: 'hint' } });
  const requests = [await fixture.asked(), await fixture.asked()];
  t.strictSame(requests.map(({ method }) => method).sort(), ['GET', 'POST']);
});

t.test('a stream that was closed, whose client left, or whose link failed', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream(stream);
  fixture.act('room', 'close');
  await reported(t, fixture);

  const second = await fixture.stream(stream);
  await fixture.drop(second, 2);
  await reported(t, fixture);

  await fixture.stream({ ...stream, 'Grip-Link': `${GONE}, </next>; rel=next` }, { timers: 1 });
  fixture.act('room', 'hint');
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'response' } });
  await reported(t, fixture);
  t.match(fixture.ends, [{ reason: 'closed' }, { reason: 'client-gone' }, { reason: 'link-failed' }]);
});

t.test('only the link of the first answer counts', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream({ ...stream, 'Grip-Link': `${GONE}, </a/next>; rel=next` }, { timers: 1 });
  fixture.act('room', 'hint');
  const links = '</other>; rel=gone, </a/next>; rel=next';
  (await fixture.asked()).answer({ headers: { ...stream, 'Grip-Link': links } });
  await fixture.timers(1);
  fixture.act('room', 'close');
  await reported(t, fixture);
  t.equal(fixture.origin.all.length, 3);
});

t.test('it is relative to the client’s URL, signed, and without the client’s fields', async (t) => {
  const fixture = await HoldFixture.open(t, { sigKey: 'secret' });
  const answer = fixture.ask('/a/b', { headers: { Cookie: 'c' } });
  (await fixture.asked()).answer({ headers: { ...stream, 'Grip-Link': '<gone>; rel=gone' } });
  await answer;
  fixture.act('room', 'close');
  const asked = await fixture.asked();
  t.equal(asked.url, '/a/gone');
  t.ok(asked.headers['grip-sig']);
  t.equal(asked.headers.cookie, undefined);
});

t.test('not when the node goes down', async (t) => {
  const fixture = await HoldFixture.open(t);
  const opened = await fixture.stream(stream);
  const { answer } = await fixture.poll(room);
  fixture.shutDown();
  await opened.end();
  await answer;
  // Whatever was sent before this request has come before it.
  const last = fixture.ask('/last');
  const asked = await fixture.asked();
  t.equal(asked.url, '/last');
  asked.answer({});
  await last;
  t.equal(fixture.origin.all.length, 3);
});

t.test('a report that fails is not repeated, and disturbs nobody', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream(stream);
  fixture.act('room', 'close');
  (await reported(t, fixture)).breakOff();
  const next = fixture.ask('/next');
  const asked = await fixture.asked();
  t.equal(asked.url, '/next');
  asked.answer({});
  t.equal((await next).status, 200);
});

t.test('an answer without end is broken off', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream(stream);
  fixture.act('room', 'close');
  const asked = await reported(t, fixture);
  asked.begin({}, Buffer.alloc(ANSWER_MAX));
  asked.write(Buffer.alloc(1));
  await until(() => asked.gone);
});
