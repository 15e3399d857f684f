/** The views and taps of a node whose clients are served by several processes: nobody can tell. */
import t from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { streamItem } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';
import { idOf, openClients, startViews, view } from '../../kit/views-fixture.js';

const holdfast = await startViews(t, { workers: 2 });

t.test('clients of all workers are counted, shown and kicked', async (t) => {
  const { poll, socket } = await openClients(t, holdfast, 'first');
  const more = await Promise.all(['a', 'b', 'c'].map((name) => open(t, `${holdfast.clients}/stream?${name}`)));
  for (const stream of more) await stream.until('opened\n');
  const { body } = await view(t, holdfast, '/channels/room');
  t.match(body, { subscribers: { response: 1, stream: 4, ws: 1, callback: 0 }, nodes: [{}], silent: [] });
  t.equal((body.nodes as unknown[]).length, 1);
  // Workers tell how many connections they have once a second.
  await until('the state of the node', async () => {
    const { nodes } = (await view(t, holdfast, '/nodes')).body as { nodes: Record<string, unknown>[] };
    return nodes[0]?.workers === 2 && nodes[0].connections === 6 && nodes[0].channels === 1;
  });
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    const id = await idOf(holdfast, `/stream?${name}`);
    t.match((await view(t, holdfast, `/connections/${id}`)).body, { id, kind: 'stream' });
    t.equal((await view(t, holdfast, `/connections/${id}`, 'DELETE')).status, 200);
    t.equal(await more[i]?.end(), 'complete');
    t.equal((await view(t, holdfast, `/connections/${id}`)).status, 404);
  }
  const session = await view(t, holdfast, `/connections/${await idOf(holdfast, '/ws?first')}`);
  t.equal((await view(t, holdfast, `/connections/${session.body.session}`, 'DELETE')).status, 200);
  t.match(await socket.end(), { code: 1008 });
  t.equal((await view(t, holdfast, `/connections/${await idOf(holdfast, '/poll?first')}`, 'DELETE')).status, 200);
  await t.rejects(poll);
});

t.test('a tap shows items of a channel, whether a worker has subscribers or none', async (t) => {
  const tap = await open(t, `${holdfast.control}/channels/quiet/items`);
  t.match(tap, { status: 200, headers: { 'content-type': 'application/x-ndjson' } });
  await holdfast.publish(streamItem('quiet', 'one'));
  await tap.until(/"one".*\n/);
  const stream = await open(t, `${holdfast.clients}/stream?channel=quiet`);
  await stream.until('opened\n');
  // What a worker answers comes behind the interest that it has declared.
  t.match((await view(t, holdfast, '/channels/quiet')).body, { subscribers: { stream: 1 } });
  await holdfast.publish(streamItem('quiet', 'two'));
  await stream.until('two');
  await tap.until(/"two".*\n/);
  stream.drop();
  t.equal(tap.text.match(/"channel":"quiet"/g)?.length, 2, 'each once');
});
