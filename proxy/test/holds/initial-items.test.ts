/** Holds that begin with the last items of their channels, or those since a position. */
import t, { type Test } from 'tap';
import type { Answer } from '../kit/clients/http-client.js';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const SSE = { 'Content-Type': 'text/event-stream', 'Grip-Hold': 'stream' };
const keeping = (t: Test, route = 'history') => HoldFixture.open(t, { route, historySize: 10 });
const event = (fixture: HoldFixture, text: string, channel = 'room') => fixture.send(channel, `data: ${text}\n\n`);
const dataOf = ({ text }: Answer) => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data as string);
const idOf = ({ text }: Answer) => [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] as string;

async function stream(fixture: HoldFixture, headers: object, body = '', path = '/', asking = {}): Promise<Answer> {
  const answer = fixture.ask(path, asking);
  (await fixture.asked()).answer({ headers: { ...SSE, ...headers }, body });
  return answer;
}

t.test('an event stream begins with the last item, behind the initial body and before what comes', async (t) => {
  const fixture = await keeping(t);
  for (const text of ['1', '2']) event(fixture, text);
  const answer = fixture.ask('/');
  const asked = await fixture.asked();
  asked.begin({ ...SSE, 'Grip-Channel': 'room; initial=last' });
  const first = await answer;
  asked.write('data: bo');
  await first.until('bo');
  event(fixture, 'live');
  asked.end('dy\n\n');
  await first.until('live');
  t.strictSame(dataOf(first), ['body', '2', 'live']);
  const id = idOf(first);
  await fixture.drop(first);
  event(fixture, 'missed');
  const second = await stream(fixture, { 'Grip-Channel': 'room; initial=last' }, '', '/', {
    headers: { 'Last-Event-ID': id },
  });
  await second.until('missed');
  t.strictSame(dataOf(second), ['missed'], 'a client that comes back is not new');
  t.equal(fixture.count('replay stream complete'), 1);
});

t.test('so many as it says, or as there are, through the filters; of a channel without any none', async (t) => {
  const fixture = await keeping(t);
  for (let i = 1; i <= 4; i++) event(fixture, `${i}`);
  const some = await stream(fixture, { 'Grip-Channel': 'room; initial=3, hall; initial=99' });
  await some.until('data: 4');
  event(fixture, 'first', 'hall');
  await some.until('first');
  t.strictSame(dataOf(some), ['2', '3', '4', 'first']);
  const all = await stream(fixture, { 'Grip-Channel': 'room; initial=99', 'Content-Type': 'text/plain' });
  await all.until('data: 4');
  t.strictSame(dataOf(all), ['1', '2', '3', '4'], 'of any media type');
  t.notMatch(all.text, 'id:');
});

t.test('a client that breaks off within its initial items gets the rest', async (t) => {
  const fixture = await keeping(t);
  for (let i = 1; i <= 3; i++) event(fixture, `${i}`);
  const first = await stream(fixture, { 'Grip-Channel': 'room; initial=3' });
  await first.until('data: 3');
  const afterFirst = /data: 1\nid: (\S+)/.exec(first.text)?.[1] as string;
  const second = await stream(fixture, { 'Grip-Channel': 'room' }, '', '/', {
    headers: { 'Last-Event-ID': afterFirst },
  });
  await second.until('data: 3');
  t.strictSame(dataOf(second), ['2', '3']);
});

t.test('since a position: what follows it; one that is not kept is said to be lost', async (t) => {
  const fixture = await keeping(t);
  for (let i = 1; i <= 3; i++) event(fixture, `${i}`);
  const head = await fixture.backplane.head('room');
  const since = await stream(fixture, { 'Grip-Channel': `room; since=${head?.epoch}:1` });
  await since.until('data: 3');
  t.strictSame(dataOf(since), ['2', '3']);
  const lost = await stream(fixture, { 'Grip-Channel': 'room; since=other:1' });
  t.equal(lost.headers['last-event-id'], 'earliest');
  t.equal(lost.headers['holdfast-last-event-id'], 'earliest');
});

t.test('a client that comes back too late begins as a new one, and is told', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'history', historySize: 2 });
  const first = await stream(fixture, { 'Grip-Channel': 'room; initial=last' });
  await first.until(/^id: /);
  await fixture.drop(first);
  for (let i = 1; i <= 5; i++) event(fixture, `${i}`);
  const second = await stream(fixture, { 'Grip-Channel': 'room; initial=last' }, '', '/', {
    headers: { 'Last-Event-ID': idOf(first) },
  });
  t.equal(second.headers['last-event-id'], 'earliest');
  await second.until('data: 5');
  t.strictSame(dataOf(second), ['5']);
});

t.test('a long poll is answered with the newest, after the origin has answered', async (t) => {
  const fixture = await keeping(t);
  for (let i = 1; i <= 3; i++) fixture.respond('room', `${i}`);
  event(fixture, 'for streams');
  const { answer } = await fixture.poll({ 'Grip-Channel': 'room; initial=3' });
  t.equal(await (await answer).end(), 'complete');
  t.equal((await answer).text, '3');
  const { answer: empty } = await fixture.poll({ 'Grip-Channel': 'hall; initial=last' });
  fixture.respond('hall', 'live');
  t.equal(await (await empty).end(), 'complete');
  t.equal((await empty).text, 'live');
});

t.test('a long poll since a position is answered with the item that follows', async (t) => {
  const fixture = await keeping(t);
  for (let i = 1; i <= 3; i++) fixture.respond('room', `${i}`);
  const head = await fixture.backplane.head('room');
  const { answer } = await fixture.poll({ 'Grip-Channel': `room; since=${head?.epoch}:1` });
  t.equal(await (await answer).end(), 'complete');
  t.equal((await answer).text, '2');
});

t.test('an instruct in JSON says the same', async (t) => {
  const fixture = await keeping(t);
  for (const text of ['1', '2', '3']) event(fixture, text);
  const answer = fixture.ask('/');
  const body = JSON.stringify({
    hold: { mode: 'stream', channels: [{ name: 'room', initial: 2 }] },
    response: { headers: { 'Content-Type': 'text/event-stream' }, body: 'data: body\n\n' },
  });
  (await fixture.asked()).answer({ headers: { 'Content-Type': 'application/grip-instruct' }, body });
  const held = await answer;
  await held.until('data: 3');
  t.strictSame(dataOf(held), ['body', '2', '3']);
});

t.test('without a history for the route it is said once, and nothing else happens', async (t) => {
  const fixture = await keeping(t, '');
  event(fixture, 'old');
  for (let i = 0; i < 2; i++) {
    const held = await stream(fixture, { 'Grip-Channel': 'room; initial=last' });
    await until('the hold', () => fixture.registry.count('room') === i + 1);
    event(fixture, `live ${i}`);
    await held.until(`live ${i}`);
    t.notMatch(held.text, 'old');
  }
  t.equal(fixture.warnings.filter((text) => text.includes('no history serves this route')).length, 1);
});
