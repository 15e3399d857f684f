import type { ItemMessage } from '@holdfast/control-api';
import t from 'tap';
import {
  MAX_WAITING_BYTES,
  MAX_WAITING_BYTES_PER_CHANNEL,
  MAX_WAITING_PER_CHANNEL,
} from '../../dist/delivery/sequencer.js';
import { message, SequencerFixture, WAIT } from './sequencer-fixture.js';

t.test('items that come in order pass at once', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('2', '1');
  fixture.offer('3', '2');
  t.equal(fixture.order, '1 2 3');
  t.equal(fixture.held, 0);
  t.equal(fixture.sequencer.lastId('c'), '3');
});

t.test('the first item passes whatever its prev-id', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('33', '32');
  t.equal(fixture.order, '33');
});

t.test('an item without prev-id passes at once and becomes the last', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('9');
  fixture.offer('10', '9');
  t.equal(fixture.order, '1 9 10');
});

t.test('early items wait and follow in the order of their chain', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('5', '4');
  fixture.offer('4', '3');
  fixture.offer('3', '2');
  t.equal(fixture.order, '1');
  t.equal(fixture.sequencer.waiting, 3);
  fixture.offer('2', '1');
  t.equal(fixture.order, '1 2 3 4 5');
  t.equal(fixture.sequencer.waiting, 0);
  t.equal(fixture.clock.pending, 0);
  t.same(fixture.causes, ['predecessor', 'predecessor', 'predecessor']);
});

t.test('an item whose predecessor is lost passes when its time is up, to the millisecond', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.clock.advance(700);
  fixture.offer('3', '2');
  fixture.clock.advance(WAIT - 1);
  t.equal(fixture.order, '1');
  fixture.clock.advance(1);
  t.equal(fixture.order, '1 3');
  t.same(fixture.causes, ['timeout']);
  t.equal(fixture.sequencer.lastId('c'), '3');
});

t.test('what waits for an item whose time is up follows it', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.clock.advance(1_000);
  fixture.offer('4', '3');
  fixture.offer('7', '6');
  fixture.clock.advance(WAIT - 1_000);
  t.equal(fixture.order, '1 3 4');
  fixture.clock.advance(1_000);
  t.equal(fixture.order, '1 3 4 7');
});

t.test('an item whose time is up passes after those before it that wait for another', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('4', '3');
  fixture.clock.advance(1_000);
  fixture.offer('3', '2');
  fixture.clock.advance(WAIT - 1_000);
  t.equal(fixture.order, '1 3 4');
  t.equal(fixture.clock.pending, 0);
});

t.test('items whose time is up at once pass in order of arrival', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('30', '29');
  fixture.offer('20', '19');
  fixture.offer('10', '9');
  fixture.clock.advance(WAIT);
  t.equal(fixture.order, '1 30 20 10');
});

t.test('of two waiting items with the same prev-id neither is lost, and they keep their order', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('3a', '2');
  fixture.offer('3b', '2');
  fixture.offer('4', '3a');
  fixture.offer('2', '1');
  t.equal(fixture.order, '1 2 3a 3b 4');
  t.equal(fixture.sequencer.lastId('c'), '4');
});

t.test('an item without id passes, and the next one passes whatever its prev-id', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer(undefined, undefined, { name: 'x' });
  t.equal(fixture.sequencer.lastId('c'), undefined);
  t.equal(fixture.sequencer.channels, 0);
  fixture.offer('7', '6');
  t.equal(fixture.order, '1 x 7');
});

t.test('an item without id but with a prev-id waits like any other', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer(undefined, '2', { name: 'x' });
  fixture.offer('2', '1');
  t.equal(fixture.order, '1 2 x');
  t.equal(fixture.sequencer.lastId('c'), undefined);
});

t.test('an item that names a waiting one waits for it even when the last id is not known', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.offer(undefined, undefined, { name: 'x' });
  fixture.offer('4', '3');
  t.equal(fixture.order, '1 x');
  fixture.clock.advance(WAIT);
  t.equal(fixture.order, '1 x 3 4');
});

t.test('a no-seq item passes at once and changes nothing', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('9', '8', { noSeq: true });
  t.equal(fixture.order, '1 9');
  t.equal(fixture.sequencer.lastId('c'), '1');
  fixture.offer('10', '9');
  t.equal(fixture.order, '1 9', 'to have passed so does not count as the predecessor');
});

t.test('empty ids are ids', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('', undefined, { name: 'e' });
  fixture.offer('2', '1');
  fixture.offer('1', '');
  t.equal(fixture.order, 'e 1 2');
});

t.test('channels are independent', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.offer('3', '2', { channel: 'd', name: 'd3' });
  fixture.offer('2', '1', { channel: 'd', name: 'd2' });
  t.equal(fixture.order, '1 d3');
  t.equal(fixture.sequencer.channels, 2);
});

t.test('a chain that names itself still passes in time, each item once', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('a', 'b');
  fixture.offer('b', 'a');
  fixture.offer('s', 's');
  fixture.clock.advance(WAIT);
  t.equal(fixture.order, '1 b a s');
  t.equal(fixture.sequencer.waiting, 0);
});

t.test('a wait of zero lets every item pass', async (t) => {
  const fixture = new SequencerFixture({ messageWait: 0 });
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.offer('2', '1');
  t.equal(fixture.order, '1 3 2');
  t.equal(fixture.clock.pending, 0);
});

t.test('beyond the limit of a channel the item that has waited longest passes early', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('start');
  for (let i = 0; i < MAX_WAITING_PER_CHANNEL; i++) fixture.offer(`${10 * i + 1}`, `${10 * i}`);
  t.equal(fixture.sequencer.waiting, MAX_WAITING_PER_CHANNEL);
  t.equal(fixture.order, 'start');
  fixture.offer('x', 'w');
  t.equal(fixture.order, 'start 1');
  t.same(fixture.causes, ['overflow']);
  t.equal(fixture.sequencer.waiting, MAX_WAITING_PER_CHANNEL);
});

t.test('an item that waited only for what the limit lets pass follows it at once', async (t) => {
  const fixture = new SequencerFixture({ maxWaitingPerChannel: 2 });
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.offer('9', '8');
  fixture.offer('4', '3');
  t.equal(fixture.order, '1 3 4');
  t.equal(fixture.sequencer.waiting, 1);
});

t.test('beyond the limit of the node an item of a channel on which none waits passes at once', async (t) => {
  const fixture = new SequencerFixture({ maxWaiting: 2 });
  for (const channel of ['c', 'd', 'e']) fixture.offer('1', undefined, { channel, name: `${channel}1` });
  fixture.offer('3', '2');
  fixture.offer('3', '2', { channel: 'd', name: 'd3' });
  fixture.offer('3', '2', { channel: 'e', name: 'e3' });
  t.equal(fixture.order, 'c1 d1 e1 e3');
  fixture.offer('9', '8', { channel: 'd', name: 'd9' });
  t.equal(fixture.order, 'c1 d1 e1 e3 d3');
  t.equal(fixture.sequencer.waiting, 2);
});

t.test('when the last subscriber goes, the last id is forgotten and what waits is dropped and counted', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.offer('4', '3');
  fixture.sequencer.forget('c');
  t.equal(fixture.abandoned, 2);
  t.equal(fixture.sequencer.waiting, 0);
  t.equal(fixture.sequencer.channels, 0);
  t.equal(fixture.clock.pending, 0);
  fixture.offer('26', '25');
  t.equal(fixture.order, '1 26');
});

t.test('the last subscriber may go while items are passing', async (t) => {
  const fixture = new SequencerFixture({ onPass: ({ id }, sequencer) => void (id === '2' && sequencer.forget('c')) });
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.offer('2', '1');
  fixture.clock.advance(WAIT);
  t.equal(fixture.order, '1 2');
  t.equal(fixture.abandoned, 1);
  t.equal(fixture.sequencer.channels, 0);
});

t.test('an item that is offered while another passes is put in order too', async (t) => {
  const fixture = new SequencerFixture({
    onPass: ({ id }, sequencer) => {
      if (id === '2') sequencer.offer(message({ id: '4', prev: '3' }));
    },
  });
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.offer('2', '1');
  t.equal(fixture.order, '1 2 3 4');
});

t.test('forgetting the last id lets the next item pass, and what waits goes on waiting', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('9', '8');
  fixture.sequencer.forgetLastId('c');
  fixture.sequencer.forgetLastId('nobody');
  fixture.offer('7', '6');
  t.equal(fixture.order, '1 7');
  fixture.offer('8', '7');
  t.equal(fixture.order, '1 7 8 9');
});

t.test('recovery forgets every last id; what waits keeps its time', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('3', '2');
  fixture.offer('1', undefined, { channel: 'd', name: 'd1' });
  fixture.clock.advance(1_000);
  fixture.sequencer.forgetLastIds();
  t.equal(fixture.sequencer.lastId('c'), undefined);
  t.equal(fixture.sequencer.channels, 1, 'only where something waits is anything kept');
  fixture.offer('5', '4', { channel: 'd', name: 'd5' });
  fixture.clock.advance(WAIT - 1_000);
  t.equal(fixture.order, '1 d1 d5 3');
});

t.test(
  'items that wait take only so many bytes on a channel, all of each counted; then the first pass early',
  async (t) => {
    const fixture = new SequencerFixture();
    fixture.offer('1');
    const large = (id: string, prev: string): ItemMessage => {
      const { item, ...rest } = message({ id, prev });
      return { ...rest, item: { ...item, meta: { a: 'x'.repeat(MAX_WAITING_BYTES_PER_CHANNEL / 8) } } };
    };
    for (let i = 0; i < 4; i++) fixture.sequencer.offer(large(`a${i}`, `none${i}`));
    t.equal(fixture.order, '1 a0', 'three and what they are beside that are within the limit');
    t.strictSame(fixture.causes, ['overflow']);
    t.equal(fixture.sequencer.waiting, 3);
    fixture.clock.advance(WAIT);
    t.equal(fixture.sequencer.waiting, 0);
  },
);

t.test('one item that is larger than what may wait passes at once', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  const { item, ...rest } = message({ id: '3', prev: '2' });
  fixture.sequencer.offer({ ...rest, item: { ...item, meta: { a: 'x'.repeat(MAX_WAITING_BYTES_PER_CHANNEL) } } });
  t.equal(fixture.order, '1 3');
  t.equal(fixture.sequencer.waiting, 0);
});

t.test('items that wait take only so many bytes on the node', async (t) => {
  const fixture = new SequencerFixture();
  const channels = Array.from({ length: 10 }, (_, i) => `c${i}`);
  const half = 'x'.repeat(MAX_WAITING_BYTES_PER_CHANNEL / 4);
  for (const channel of channels) {
    fixture.offer('1', undefined, { channel });
    const { item, ...rest } = message({ id: '3', prev: '2', channel });
    fixture.sequencer.offer({ ...rest, item: { ...item, meta: { a: half } } });
  }
  const most = MAX_WAITING_BYTES / (MAX_WAITING_BYTES_PER_CHANNEL / 2);
  t.equal(fixture.sequencer.waiting, most - 1);
  for (const channel of channels) fixture.sequencer.forget(channel);
  t.equal(fixture.sequencer.waiting, 0);
  t.equal(fixture.clock.pending, 0);
  fixture.offer('1', undefined, { channel: 'c' });
  const { item, ...rest } = message({ id: '3', prev: '2' });
  fixture.sequencer.offer({ ...rest, item: { ...item, meta: { a: half } } });
  t.equal(fixture.sequencer.waiting, 1, 'what was dropped does not count any more');
});

t.test('when the node goes down all that waits passes, chains in their order', async (t) => {
  const fixture = new SequencerFixture();
  fixture.offer('1');
  fixture.offer('5', '4');
  fixture.offer('4', '3');
  fixture.offer('9', '8');
  t.equal(fixture.order, '1');
  fixture.sequencer.finish();
  t.equal(fixture.order, '1 4 5 9');
  t.strictSame(fixture.causes, ['shutdown', 'predecessor', 'shutdown']);
  t.equal(fixture.sequencer.waiting, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('when the node goes down: whoever takes an item may make the sequencer forget', async (t) => {
  const fixture = new SequencerFixture({ onPass: ({ id }, sequencer) => id === '4' && sequencer.forget('c') });
  fixture.offer('1');
  fixture.offer('9', '8');
  fixture.offer('4', '3');
  fixture.sequencer.finish();
  t.equal(fixture.order, '1 9 4');
  t.equal(fixture.sequencer.waiting, 0);
});
