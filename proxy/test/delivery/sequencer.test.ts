import type { ItemMessage } from '@holdfast/control-api';
import t from 'tap';
import {
  MAX_WAITING_BYTES,
  MAX_WAITING_BYTES_PER_CHANNEL,
  MAX_WAITING_PER_CHANNEL,
} from '../../dist/delivery/sequencer.js';
import { message, SequencerScene, WAIT } from './sequencer-scene.js';

t.test('items that come in order pass at once', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('2', '1');
  scene.offer('3', '2');
  t.equal(scene.order, '1 2 3');
  t.equal(scene.held, 0);
  t.equal(scene.sequencer.lastId('c'), '3');
});

t.test('the first item passes whatever its prev-id', async (t) => {
  const scene = new SequencerScene();
  scene.offer('33', '32');
  t.equal(scene.order, '33');
});

t.test('an item without prev-id passes at once and becomes the last', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('9');
  scene.offer('10', '9');
  t.equal(scene.order, '1 9 10');
});

t.test('early items wait and follow in the order of their chain', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('5', '4');
  scene.offer('4', '3');
  scene.offer('3', '2');
  t.equal(scene.order, '1');
  t.equal(scene.sequencer.waiting, 3);
  scene.offer('2', '1');
  t.equal(scene.order, '1 2 3 4 5');
  t.equal(scene.sequencer.waiting, 0);
  t.equal(scene.clock.pending, 0);
  t.same(scene.causes, ['predecessor', 'predecessor', 'predecessor']);
});

t.test('an item whose predecessor is lost passes when its time is up, to the millisecond', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.clock.advance(700);
  scene.offer('3', '2');
  scene.clock.advance(WAIT - 1);
  t.equal(scene.order, '1');
  scene.clock.advance(1);
  t.equal(scene.order, '1 3');
  t.same(scene.causes, ['timeout']);
  t.equal(scene.sequencer.lastId('c'), '3');
});

t.test('what waits for an item whose time is up follows it', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('3', '2');
  scene.clock.advance(1_000);
  scene.offer('4', '3');
  scene.offer('7', '6');
  scene.clock.advance(WAIT - 1_000);
  t.equal(scene.order, '1 3 4');
  scene.clock.advance(1_000);
  t.equal(scene.order, '1 3 4 7');
});

t.test('an item whose time is up passes after those before it that wait for another', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('4', '3');
  scene.clock.advance(1_000);
  scene.offer('3', '2');
  scene.clock.advance(WAIT - 1_000);
  t.equal(scene.order, '1 3 4');
  t.equal(scene.clock.pending, 0);
});

t.test('items whose time is up at once pass in order of arrival', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('30', '29');
  scene.offer('20', '19');
  scene.offer('10', '9');
  scene.clock.advance(WAIT);
  t.equal(scene.order, '1 30 20 10');
});

t.test('of two waiting items with the same prev-id neither is lost, and they keep their order', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('3a', '2');
  scene.offer('3b', '2');
  scene.offer('4', '3a');
  scene.offer('2', '1');
  t.equal(scene.order, '1 2 3a 3b 4');
  t.equal(scene.sequencer.lastId('c'), '4');
});

t.test('an item without id passes, and the next one passes whatever its prev-id', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer(undefined, undefined, { name: 'x' });
  t.equal(scene.sequencer.lastId('c'), undefined);
  t.equal(scene.sequencer.channels, 0);
  scene.offer('7', '6');
  t.equal(scene.order, '1 x 7');
});

t.test('an item without id but with a prev-id waits like any other', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer(undefined, '2', { name: 'x' });
  scene.offer('2', '1');
  t.equal(scene.order, '1 2 x');
  t.equal(scene.sequencer.lastId('c'), undefined);
});

t.test('an item that names a waiting one waits for it even when the last id is not known', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('3', '2');
  scene.offer(undefined, undefined, { name: 'x' });
  scene.offer('4', '3');
  t.equal(scene.order, '1 x');
  scene.clock.advance(WAIT);
  t.equal(scene.order, '1 x 3 4');
});

t.test('a no-seq item passes at once and changes nothing', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('9', '8', { noSeq: true });
  t.equal(scene.order, '1 9');
  t.equal(scene.sequencer.lastId('c'), '1');
  scene.offer('10', '9');
  t.equal(scene.order, '1 9', 'to have passed so does not count as the predecessor');
});

t.test('empty ids are ids', async (t) => {
  const scene = new SequencerScene();
  scene.offer('', undefined, { name: 'e' });
  scene.offer('2', '1');
  scene.offer('1', '');
  t.equal(scene.order, 'e 1 2');
});

t.test('channels are independent', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('3', '2');
  scene.offer('3', '2', { channel: 'd', name: 'd3' });
  scene.offer('2', '1', { channel: 'd', name: 'd2' });
  t.equal(scene.order, '1 d3');
  t.equal(scene.sequencer.channels, 2);
});

t.test('a chain that names itself still passes in time, each item once', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('a', 'b');
  scene.offer('b', 'a');
  scene.offer('s', 's');
  scene.clock.advance(WAIT);
  t.equal(scene.order, '1 b a s');
  t.equal(scene.sequencer.waiting, 0);
});

t.test('a wait of zero lets every item pass', async (t) => {
  const scene = new SequencerScene({ messageWait: 0 });
  scene.offer('1');
  scene.offer('3', '2');
  scene.offer('2', '1');
  t.equal(scene.order, '1 3 2');
  t.equal(scene.clock.pending, 0);
});

t.test('beyond the limit of a channel the item that has waited longest passes early', async (t) => {
  const scene = new SequencerScene();
  scene.offer('start');
  for (let i = 0; i < MAX_WAITING_PER_CHANNEL; i++) scene.offer(`${10 * i + 1}`, `${10 * i}`);
  t.equal(scene.sequencer.waiting, MAX_WAITING_PER_CHANNEL);
  t.equal(scene.order, 'start');
  scene.offer('x', 'w');
  t.equal(scene.order, 'start 1');
  t.same(scene.causes, ['overflow']);
  t.equal(scene.sequencer.waiting, MAX_WAITING_PER_CHANNEL);
});

t.test('an item that waited only for what the limit lets pass follows it at once', async (t) => {
  const scene = new SequencerScene({ maxWaitingPerChannel: 2 });
  scene.offer('1');
  scene.offer('3', '2');
  scene.offer('9', '8');
  scene.offer('4', '3');
  t.equal(scene.order, '1 3 4');
  t.equal(scene.sequencer.waiting, 1);
});

t.test('beyond the limit of the node an item of a channel on which none waits passes at once', async (t) => {
  const scene = new SequencerScene({ maxWaiting: 2 });
  for (const channel of ['c', 'd', 'e']) scene.offer('1', undefined, { channel, name: `${channel}1` });
  scene.offer('3', '2');
  scene.offer('3', '2', { channel: 'd', name: 'd3' });
  scene.offer('3', '2', { channel: 'e', name: 'e3' });
  t.equal(scene.order, 'c1 d1 e1 e3');
  scene.offer('9', '8', { channel: 'd', name: 'd9' });
  t.equal(scene.order, 'c1 d1 e1 e3 d3');
  t.equal(scene.sequencer.waiting, 2);
});

t.test('when the last subscriber goes, the last id is forgotten and what waits is dropped and counted', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('3', '2');
  scene.offer('4', '3');
  scene.sequencer.forget('c');
  t.equal(scene.abandoned, 2);
  t.equal(scene.sequencer.waiting, 0);
  t.equal(scene.sequencer.channels, 0);
  t.equal(scene.clock.pending, 0);
  scene.offer('26', '25');
  t.equal(scene.order, '1 26');
});

t.test('the last subscriber may go while items are passing', async (t) => {
  const scene = new SequencerScene({ onPass: ({ id }, sequencer) => void (id === '2' && sequencer.forget('c')) });
  scene.offer('1');
  scene.offer('3', '2');
  scene.offer('2', '1');
  scene.clock.advance(WAIT);
  t.equal(scene.order, '1 2');
  t.equal(scene.abandoned, 1);
  t.equal(scene.sequencer.channels, 0);
});

t.test('an item that is offered while another passes is put in order too', async (t) => {
  const scene = new SequencerScene({
    onPass: ({ id }, sequencer) => {
      if (id === '2') sequencer.offer(message({ id: '4', prev: '3' }));
    },
  });
  scene.offer('1');
  scene.offer('3', '2');
  scene.offer('2', '1');
  t.equal(scene.order, '1 2 3 4');
});

t.test('forgetting the last id lets the next item pass, and what waits goes on waiting', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('9', '8');
  scene.sequencer.forgetLastId('c');
  scene.sequencer.forgetLastId('nobody');
  scene.offer('7', '6');
  t.equal(scene.order, '1 7');
  scene.offer('8', '7');
  t.equal(scene.order, '1 7 8 9');
});

t.test('recovery forgets every last id; what waits keeps its time', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('3', '2');
  scene.offer('1', undefined, { channel: 'd', name: 'd1' });
  scene.clock.advance(1_000);
  scene.sequencer.forgetLastIds();
  t.equal(scene.sequencer.lastId('c'), undefined);
  t.equal(scene.sequencer.channels, 1, 'only where something waits is anything kept');
  scene.offer('5', '4', { channel: 'd', name: 'd5' });
  scene.clock.advance(WAIT - 1_000);
  t.equal(scene.order, '1 d1 d5 3');
});

t.test(
  'items that wait take only so many bytes on a channel, all of each counted; then the first pass early',
  async (t) => {
    const scene = new SequencerScene();
    scene.offer('1');
    const large = (id: string, prev: string): ItemMessage => {
      const { item, ...rest } = message({ id, prev });
      return { ...rest, item: { ...item, meta: { a: 'x'.repeat(MAX_WAITING_BYTES_PER_CHANNEL / 8) } } };
    };
    for (let i = 0; i < 4; i++) scene.sequencer.offer(large(`a${i}`, `none${i}`));
    t.equal(scene.order, '1 a0', 'three and what they are beside that are within the limit');
    t.strictSame(scene.causes, ['overflow']);
    t.equal(scene.sequencer.waiting, 3);
    scene.clock.advance(WAIT);
    t.equal(scene.sequencer.waiting, 0);
  },
);

t.test('one item that is larger than what may wait passes at once', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  const { item, ...rest } = message({ id: '3', prev: '2' });
  scene.sequencer.offer({ ...rest, item: { ...item, meta: { a: 'x'.repeat(MAX_WAITING_BYTES_PER_CHANNEL) } } });
  t.equal(scene.order, '1 3');
  t.equal(scene.sequencer.waiting, 0);
});

t.test('items that wait take only so many bytes on the node', async (t) => {
  const scene = new SequencerScene();
  const channels = Array.from({ length: 10 }, (_, i) => `c${i}`);
  const half = 'x'.repeat(MAX_WAITING_BYTES_PER_CHANNEL / 4);
  for (const channel of channels) {
    scene.offer('1', undefined, { channel });
    const { item, ...rest } = message({ id: '3', prev: '2', channel });
    scene.sequencer.offer({ ...rest, item: { ...item, meta: { a: half } } });
  }
  const most = MAX_WAITING_BYTES / (MAX_WAITING_BYTES_PER_CHANNEL / 2);
  t.equal(scene.sequencer.waiting, most - 1);
  for (const channel of channels) scene.sequencer.forget(channel);
  t.equal(scene.sequencer.waiting, 0);
  t.equal(scene.clock.pending, 0);
  scene.offer('1', undefined, { channel: 'c' });
  const { item, ...rest } = message({ id: '3', prev: '2' });
  scene.sequencer.offer({ ...rest, item: { ...item, meta: { a: half } } });
  t.equal(scene.sequencer.waiting, 1, 'what was dropped does not count any more');
});

t.test('when the node goes down all that waits passes, chains in their order', async (t) => {
  const scene = new SequencerScene();
  scene.offer('1');
  scene.offer('5', '4');
  scene.offer('4', '3');
  scene.offer('9', '8');
  t.equal(scene.order, '1');
  scene.sequencer.finish();
  t.equal(scene.order, '1 4 5 9');
  t.strictSame(scene.causes, ['shutdown', 'predecessor', 'shutdown']);
  t.equal(scene.sequencer.waiting, 0);
  t.equal(scene.clock.pending, 0);
});

t.test('when the node goes down: whoever takes an item may make the sequencer forget', async (t) => {
  const scene = new SequencerScene({ onPass: ({ id }, sequencer) => id === '4' && sequencer.forget('c') });
  scene.offer('1');
  scene.offer('9', '8');
  scene.offer('4', '3');
  scene.sequencer.finish();
  t.equal(scene.order, '1 9 4');
  t.equal(scene.sequencer.waiting, 0);
});
