/** Filters on response holds. */
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldFixture, WAIT } from './hold-fixture.js';

const filtered = (filters: readonly string[], meta?: string) => ({
  'Grip-Channel': `room; prev-id=1${filters.map((name) => `; filter=${name}`).join('')}`,
  ...(meta === undefined ? {} : { 'Grip-Set-Meta': meta }),
});

t.test('a dropped item leaves the hold, whose last id moves on all the same', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(filtered(['skip-self'], 'user=ann'));
  fixture.respond('room', 'own', { id: '2', 'prev-id': '1', meta: { sender: 'ann' } });
  fixture.respond('room', 'other', { id: '3', 'prev-id': '2', meta: { sender: 'bob' } });
  await (await answer).until('other');
  t.equal(fixture.origin.all.length, 1);
});

t.test('content is rewritten for each hold by its own meta', async (t) => {
  const fixture = await HoldFixture.open(t);
  const ann = await fixture.poll(filtered(['var-subst'], 'user=ann'));
  const bob = await fixture.poll(filtered(['var-subst'], 'user=bob'));
  fixture.respond('room', 'hello %(user)s, 100%%', { id: '2', 'prev-id': '1' });
  await (await ann.answer).until('hello ann, 100%');
  await (await bob.answer).until('hello bob, 100%');
  t.equal((await ann.answer).headers['content-length'], '15');
});

t.test('build-id makes the id of what the client has then', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(filtered(['build-id'], 'id_format="room:%(room)s"'));
  fixture.respond('room', 'id %I, %(a)I', { id: '2', 'prev-id': '1' });
  await (await answer).until('id room:2, a');
  t.equal((await answer).text, 'id room:2, a');
});

t.test('a filter that fails skips the item: counted and logged, and told on debug routes', async (t) => {
  const fixture = await HoldFixture.open(t, { lines: ['debug,debug ORIGIN'] });
  const { answer } = await fixture.poll(filtered(['var-subst']));
  fixture.respond('room', '%(none)s', { id: '2', 'prev-id': '1' });
  t.equal(fixture.count('dropped response filter-failed'), 1);
  t.strictSame(fixture.warnings, ['item not delivered: its filter failed']);
  fixture.respond('room', 'plain', { id: '3', 'prev-id': '2' });
  await (await answer).until('plain');

  const told = await fixture.poll(filtered(['var-subst']), '', { headers: { Host: 'debug' } });
  fixture.respond('room', '%(none)s', { id: '2', 'prev-id': '1' });
  const got = await told.answer;
  await got.end();
  t.match(got, { status: 502, text: /^filter error: No such variable 'none'/ });
  t.equal(fixture.ends.at(-1)?.reason, 'filter-failed');
});

t.test('an item for other content filters than the hold’s is skipped, and told on debug routes', async (t) => {
  const fixture = await HoldFixture.open(t, { lines: ['debug,debug ORIGIN'] });
  const item = (filters: string[]) => ({ 'http-response': { body: 'body', 'content-filters': filters } });
  const { answer } = await fixture.poll(filtered(['skip-self', 'var-subst']));
  fixture.publish('room', item([]), { id: '2', 'prev-id': '1' });
  fixture.publish('room', item(['build-id']), { id: '3', 'prev-id': '2' });
  fixture.publish('room', item(['var-subst']), { id: '4', 'prev-id': '3' });
  await (await answer).until('body');
  t.equal(fixture.count('dropped response filter-failed'), 2);

  const told = await fixture.poll(filtered(['var-subst']), '', { headers: { Host: 'debug' } });
  fixture.publish('room', item(['build-id']), { id: '2', 'prev-id': '1' });
  const got = await told.answer;
  await got.end();
  t.match(got, { status: 502, text: 'content filter mismatch: subscription=var-subst message=build-id\n' });
});

t.test('a server that is asked decides; items after it wait for its word', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(filtered(['http-modify'], 'url=/judge'));
  fixture.respond('room', 'first', { id: '2', 'prev-id': '1' });
  fixture.respond('room', 'second', { id: '3', 'prev-id': '2' });
  const one = await fixture.asked();
  const two = await fixture.asked();
  t.match([one, two], [{ url: '/judge' }, { url: '/judge' }]);
  two.answer({ body: 'SECOND' });
  one.answer({ headers: { Action: 'drop' } });
  await (await answer).until('SECOND');
  t.match(fixture.ends, [{ reason: 'answered' }]);
});

t.test('while a server is asked, a gap is not gone back for: what was let pass would be lost', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(filtered(['http-check'], 'url=/judge'));
  fixture.respond('room', 'fits', { id: '2', 'prev-id': '1' });
  fixture.respond('room', 'gap', { id: '9', 'prev-id': '8' });
  const asked = await fixture.asked();
  fixture.clock.advance(WAIT + 100);
  t.equal(fixture.ends.length, 0);
  asked.answer({ status: 204 });
  await (await answer).until('fits');
  t.match(fixture.ends, [{ reason: 'answered' }]);
});

t.test('a gap is gone back for when the server has dropped what was before it', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(filtered(['http-check'], 'url=/judge'));
  fixture.respond('room', 'fits', { id: '2', 'prev-id': '1' });
  fixture.respond('room', 'gap', { id: '9', 'prev-id': '8' });
  const asked = await fixture.asked();
  fixture.clock.advance(WAIT + 100);
  asked.answer({ headers: { Action: 'drop' } });
  const again = await fixture.asked();
  t.strictSame([again.method, ...again.lastIds], ['GET', 'room; last-id=2']);
  again.answer({ body: 'rest' });
  await (await answer).until('rest');
});

t.test('an answer without a hold is filtered as well, and refused when it cannot be', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'debug' });
  const headers = { 'Grip-Channel': 'c; filter=build-id', 'Grip-Set-Meta': 'id_format=x, id_encoding=hex' };
  const first = fixture.ask();
  (await fixture.asked()).answer({ headers, body: 'id: %(ab)I' });
  await (await first).until('id: 6162');
  const second = fixture.ask();
  (await fixture.asked()).answer({ headers, body: 'id: %I' });
  const got = await second;
  await got.end();
  t.match(got, { status: 502, text: /build-id: No ID specified and no default ID in context/ });
});

t.test('a hundred items may wait for the origin’s answer: what comes after is not waited for', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  const headers = { 'Grip-Channel': 'room; filter=skip-self', 'Grip-Set-Meta': 'user=ann', 'Grip-Hold': 'response' };
  asked.begin(headers, 'body');
  await until('the hold', () => fixture.registry.count('room') === 1);
  for (let i = 0; i < 100; i++) fixture.respond('room', 'own', { meta: { sender: 'ann' } });
  fixture.respond('room', 'too late');
  asked.end();
  await fixture.ended(1);
  t.equal(fixture.ends.length, 0);
  fixture.respond('room', 'next');
  await (await answer).until('next');
});
