/** Filters by the real command: per connection, with servers that are asked, and their errors. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WebSocketServer } from 'ws';
import { open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';

const origin = await ScriptedOrigin.start(t);
/** Answers by the content that it is asked about. */
const judge = await startOrigin(t, (request, response, seen) => {
  request.on('end', () => {
    const { body } = seen;
    if (body.startsWith('drop')) response.setHeader('Action', 'drop');
    if (body.startsWith('bytes')) response.end(Buffer.from([0xff, 0xfe]));
    // What is asked first is answered last.
    else if (body.startsWith('slow')) setImmediate(() => setImmediate(() => response.end(`[${body.trim()}] `)));
    else response.end(`[${body.trim()}] `);
  });
});
const holdfast = await startHoldfast(t, {
  routes: [`*,link_hosts=${judge.target} ${origin.target}`, `debug,debug ${origin.target}`],
  settings: { client_half_close_grace: 0 },
});
const { clients } = holdfast;

/** A stream on these channels, with this meta. */
const stream = (channels: string, meta: string, host = 'any') => {
  const path = origin.script({ headers: streamHold(channels, { 'Grip-Set-Meta': meta }), body: 'open ' });
  return open(t, `${clients}${path}`, { headers: { Host: host } });
};

t.test('who has sent an item, or is to be skipped, does not get it', async (t) => {
  const filters = 'chat; filter=skip-self; filter=skip-users';
  const [ann, bob] = await Promise.all([stream(filters, 'user=ann'), stream(filters, 'user=bob')]);
  await Promise.all([ann.until('open '), bob.until('open ')]);
  const by = (meta: object, content: string) => ({ ...streamItem('chat', content), meta });
  await holdfast.publish(by({ sender: 'ann' }, 'A '), by({ sender: 'bob' }, 'B '), by({ skip_users: 'ann,bob' }, 'C '));
  await holdfast.publish(by({}, 'D'));
  await Promise.all([ann.until('D'), bob.until('D')]);
  t.strictSame([ann.text, bob.text], ['open B D', 'open A D']);
});

t.test('each connection gets content of its own', async () => {
  const [ann, zoe] = await Promise.all([
    stream('own; filter=var-subst', 'user=ann'),
    stream('own; filter=var-subst', 'user="zoë, \\"z\\""'),
  ]);
  await Promise.all([ann.until('open '), zoe.until('open ')]);
  await holdfast.publish(streamItem('own', 'for %(user)s, 100%%'));
  await ann.until('for ann, 100%');
  await zoe.until('for zoë, "z", 100%');
});

t.test('a server that is asked drops and changes items; their order stays', async (t) => {
  const asked = await stream('asked; filter=http-modify, plain', `url=http://${judge.target}/judge`);
  await asked.until('open ');
  await holdfast.publish(
    streamItem('asked', 'slow one'),
    streamItem('plain', 'two '),
    streamItem('asked', 'drop three'),
    streamItem('asked', 'four'),
  );
  await asked.until('four');
  t.equal(asked.text, 'open [slow one] two [four] ');
  const [first] = await judge.requests(3);
  t.match(first, { method: 'POST', url: '/judge', headers: { 'sub-meta': /"url":"http:/, 'pub-meta': '{}' } });
});

t.test('an item that a filter cannot take: skipped, counted, and told on debug routes', async (t) => {
  const [quiet, told] = await Promise.all([
    stream('bad; filter=var-subst', 'user=ann'),
    stream('bad; filter=var-subst', 'user=ann', 'debug'),
  ]);
  await Promise.all([quiet.until('open '), told.until('open ')]);
  await holdfast.publish(streamItem('bad', '%(nobody)s'), streamItem('bad', 'next'));
  await quiet.until('next');
  t.equal(quiet.text, 'open next');
  t.equal(await told.end(), 'complete');
  t.match(told.text, /\n\nfilter error: No such variable 'nobody' at position \d+\n$/);
  await holdfast.record('of the filter', ({ msg }) => msg === 'item not delivered: its filter failed');
});

t.test('text that a filter makes no text of does not reach a WebSocket, which would end by it', async (t) => {
  const talker = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(() => talker.close());
  await once(talker, 'listening');
  talker.on('headers', (lines) => lines.push('Sec-WebSocket-Extensions: grip; message-prefix=""'));
  talker.on('connection', (socket) => {
    socket.send(`c:{"type":"set-meta","name":"url","value":"http://${judge.target}/judge"}`);
    socket.send('c:{"type":"subscribe","channel":"said","filters":["http-modify"]}');
    socket.send('ready');
  });
  const { port } = talker.address() as AddressInfo;
  const node = await startHoldfast(t, { routes: [`*,link_hosts=${judge.target} 127.0.0.1:${port}`] });
  const client = await openWs(t, wsUrl(node.clients));
  t.equal(await client.text(), 'ready');
  const said = (content: string) => ({ channel: 'said', formats: { 'ws-message': { content } } });
  await node.publish(said('bytes'), said('next'));
  t.equal(await client.text(), '[next] ');
  await node.record('of the filter', ({ error }) => error === 'filter error: it made text that is not UTF-8');
});
