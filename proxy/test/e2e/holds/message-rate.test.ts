/** `message_rate` and `message_hwm` in the whole proxy: what is dropped is counted and logged, what waits is not lost. */
import t from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';

t.test('over message_hwm deliveries are dropped, counted and logged; what waits at a shutdown goes out', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(200, streamHold('room'));
    response.end('opened\n');
  });
  const settings = { message_rate: 1, message_hwm: 2, log_format: 'json' };
  const holdfast = await startHoldfast(t, { routes: [`*,id=main ${origin.target}`], settings });
  const streams = await Promise.all(Array.from({ length: 5 }, () => open(t, holdfast.clients)));
  await Promise.all(streams.map((stream) => stream.until('opened\n')));
  await holdfast.holds('stream', 5);
  await holdfast.publish(streamItem('room', 'news\n'));
  t.equal(await holdfast.metric('holdfast_items_dropped_total{kind="stream",reason="rate-limit"}'), 3);
  const first = await holdfast.record('of the first drop', ({ dropped }) => dropped === 1);
  t.match(first, { id: String, route: 'main', msg: 'exceeded publish hwm (2) for route main, dropping message' });
  holdfast.child.signal('SIGTERM');
  const others = await holdfast.record('of the others', ({ dropped }) => dropped === 2);
  t.match(others, { msg: 'exceeded publish hwm (2) for route main: 2 more messages dropped' });
  await Promise.all(streams.map((stream) => stream.end()));
  t.same(streams.map(({ text }) => text).sort(), [
    'opened\n',
    'opened\n',
    'opened\n',
    'opened\nnews\n',
    'opened\nnews\n',
  ]);
});
