/** What of a publisher's trace goes along with its items, where no spans are recorded. */
import t from 'tap';
import { LocalBackplane, noPublishEvents, Propagation, Publisher, silentLog } from '../../dist/index.js';
import { streamItem } from '../items.js';
import { RecordingListener } from '../recorder.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const context = (flags: number) => ({ traceId: TRACE, spanId: SPAN, flags, state: 'a=1' });

async function setUp(tracing: Propagation | undefined) {
  const backplane = new LocalBackplane(silentLog);
  const listener = new RecordingListener();
  await backplane.start(listener);
  await backplane.subscribe('a');
  const options = { backplane, countSubscribers: () => 0, events: noPublishEvents, log: silentLog };
  const publisher = new Publisher({ ...options, tracing });
  return { publisher, headers: () => listener.messages.map((it) => (it.type === 'item' ? it.headers : undefined)) };
}

t.test('every item of a publish has the publisher’s context, without its state', async (t) => {
  const { publisher, headers } = await setUp(new Propagation(1, Math.random));
  t.equal(publisher.followsTraces, true);
  const receipts = await publisher.publish([streamItem('a', '1'), streamItem('a', '2')], context(1));
  t.equal(receipts.length, 2);
  const traceparent = `00-${TRACE}-${SPAN}-01`;
  t.strictSame(headers(), [{ traceparent }, { traceparent }]);
});

t.test('one that is not recorded does not travel, and none is made', async (t) => {
  const { publisher, headers } = await setUp(new Propagation(1, Math.random));
  await publisher.publish([streamItem('a', '1')], context(0));
  await publisher.publish([streamItem('a', '2')]);
  t.strictSame(headers(), [undefined, undefined]);
});

t.test('where traces are not followed a message has no further member', async (t) => {
  const { publisher, headers } = await setUp(undefined);
  t.equal(publisher.followsTraces, false);
  await publisher.publish([streamItem('a', '1')], context(1));
  t.strictSame(headers(), [undefined]);
});
