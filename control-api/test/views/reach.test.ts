/** The reach of a publish: asked of all nodes before it is handed over, within the time that its publisher has. */
import t, { type Test } from 'tap';
import {
  BackplaneHub,
  ChannelTaps,
  ClusterViews,
  ControlError,
  LocalBackplane,
  mergeAnswers,
  REACH_CHANNELS,
  REACH_MAX_MS,
  silentLog,
} from '../../dist/index.js';
import { ANSWER_WITHIN_MS, MAX_VIEWS } from '../../dist/views/cluster-views.js';
import { reachChannels } from '../../dist/views/reach.js';
import { publishBody, startControl } from '../control-fixture.js';
import { ManualClock } from '../manual-clock.js';
import { requestBytes } from '../raw-client.js';
import { type Script, ScriptedCluster } from './scripted-cluster.js';

const counts = (response: number, stream: number, ws: number) => ({ response, stream, ws, callback: 0, xmpp: 0 });
const json = { Accept: 'application/json' };

/** A control server in front of such nodes, of which `own` is this one. */
async function start(t: Test, scripts: Readonly<Record<string, Script | undefined>> | Error) {
  const nodes = new ScriptedCluster(scripts);
  const rest = { host: 'h', pid: 1, version: '1', startedAt: 0, workers: 1, connections: 2, channels: 3, age: 0 };
  nodes.own = { id: 'own', ...rest };
  const clock = new ManualClock();
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog), log: silentLog });
  const cluster = new ClusterViews(nodes, clock);
  const control = await startControl(t, { views: { cluster, taps: new ChannelTaps(() => hub.share(), clock) } });
  const publish = async (path: string, headers: Record<string, string>, ...items: [string, string][]) => {
    const answer = await control.ask('POST', path, { ...json, ...headers }, publishBody(...items));
    return { status: answer.status, applied: answer.headers['preference-applied'], body: JSON.parse(answer.body) };
  };
  return { ...control, nodes, cluster, publish };
}

t.test('Prefer: wait and reach=1 have all nodes count, and name the silent', async (t) => {
  const { publish, nodes } = await start(t, {
    own: () => [counts(1, 2, 3), counts(0, 0, 0)],
    b: () => [counts(10, 20, 30), counts(0, 1, 0)],
    c: undefined,
    odd: () => 'of another version',
    short: () => [counts(1, 1, 1)],
  });
  const items: [string, string][] = [
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
  ];
  const silent = ['c', 'odd', 'short'];
  const [first, second] = [counts(0, 22, 0), counts(0, 1, 0)];
  const preferred = await publish('/publish/', { Prefer: 'wait=300' }, ...items);
  t.match(preferred, { status: 200, applied: 'wait=300' });
  t.strictSame(preferred.body, {
    message: 'Published',
    items: [
      { id: '1', channel: 'a', subscribers: 2, nodes: 1, reach: first },
      { id: '2', channel: 'b', subscribers: 0, nodes: 0, reach: second, unreceived: true },
      { id: '3', channel: 'a', subscribers: 2, nodes: 1, reach: first },
    ],
    silent,
  });
  const queried = await publish('/publish?reach=1', {}, ...items);
  t.equal(queried.applied, undefined);
  t.match(queried.body, { items: [{ reach: first }, { reach: second }, { reach: first }], silent });
  const question = { about: 'reach', channels: ['a', 'b'] };
  t.strictSame(nodes.asked, [
    { question, withinMs: 300 },
    { question, withinMs: ANSWER_WITHIN_MS },
  ]);
  await publish('/publish/', { Prefer: `wait=${REACH_MAX_MS + 1}` }, ['a', '4']);
  t.equal(nodes.asked.at(-1)?.withinMs, REACH_MAX_MS);
});

t.test('nobody is asked where nobody asks for it', async (t) => {
  const { publish, nodes } = await start(t, { own: () => [counts(1, 1, 1)] });
  for (const [path, headers] of [
    ['/publish/', {}],
    ['/publish/', { Prefer: 'respond-async' }],
    ['/publish/?reach=0', {}],
  ] as const)
    t.notMatch((await publish(path, headers, ['a', '1'])).body, { silent: [] });
  t.match((await publish('/publish/?reach=1', {})).body, { items: [] });
  t.strictSame(nodes.asked, []);
});

t.test('a text has the reach of a single item', async (t) => {
  const { ask } = await start(t, { own: () => [counts(0, 2, 0)], b: undefined });
  const { body } = await ask('POST', '/publish/?reach=1', {}, publishBody(['a', '1']));
  t.equal(body, 'Published\nReach: 0 response, 2 stream, 0 ws, 0 xmpp.\nNote: nodes that did not answer: 1.\n');
});

t.test('where the nodes cannot be asked, it is published, and nothing said of its reach', async (t) => {
  const { publish, listener } = await start(t, new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'away'));
  const { status, applied, body } = await publish('/publish/', { Prefer: 'wait=50' }, ['a', '1']);
  t.strictSame([status, applied], [200, undefined]);
  t.strictSame(body, { message: 'Published', items: [{ id: '1', channel: 'a', subscribers: 2, nodes: 1 }] });
  t.strictSame(listener.labels, ['a/1']);
});

t.test('nor where as many views are under way as there may be', async (t) => {
  const { publish, nodes, cluster } = await start(t, { own: () => [counts(1, 1, 1)] });
  const { ask } = nodes;
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  nodes.ask = async (...asked) => {
    await gate;
    return ask.apply(nodes, asked);
  };
  const views = Array.from({ length: MAX_VIEWS }, () => cluster.reach(['a'], 1_000));
  const { body } = await publish('/publish/?reach=1', {}, ['a', '1']);
  t.notMatch(body, { items: [{ reach: {} }] });
  go();
  await Promise.all(views);
  t.match((await publish('/publish/?reach=1', {}, ['a', '2'])).body, { items: [{ reach: counts(0, 1, 0) }] });
});

t.test('what is published on one connection keeps its order while nodes count', async (t) => {
  const { client, nodes, listener } = await start(t, { own: () => [counts(1, 1, 1)] });
  const { ask } = nodes;
  const gates: (() => void)[] = [];
  nodes.ask = async (...asked) => {
    await new Promise<void>((resolve) => gates.push(resolve));
    return ask.apply(nodes, asked);
  };
  const connection = await client();
  const body = (id: string) => publishBody(['a', id]);
  const asks = (id: string) => requestBytes('POST', '/publish/', { Prefer: 'wait=900' }, body(id));
  const plain = (id: string) => requestBytes('POST', '/publish/', {}, body(id));
  await connection.write(plain('0') + asks('1') + plain('2') + asks('3') + plain('4') + plain('5'));
  const open = async () => {
    while (gates.length === 0) await new Promise((resolve) => setImmediate(resolve));
    t.equal(gates.length, 1, 'one after the other');
    gates.shift()?.();
  };
  await open();
  await open();
  for (let i = 0; i < 6; i++) t.match(await connection.answer(), { status: 200, body: /^Published\n/ }, `${i}`);
  t.strictSame(
    listener.labels,
    ['0', '1', '2', '3', '4', '5'].map((id) => `a/${id}`),
  );
});

t.test('so many channels are counted, each once; items on others have no reach', async (t) => {
  const channels = Array.from({ length: REACH_CHANNELS + 1 }, (_, i) => ({ channel: `c${i}` }));
  t.strictSame(
    reachChannels([...channels, ...channels]),
    channels.slice(0, -1).map(({ channel }) => channel),
  );
  const { publish } = await start(t, {
    own: (question) => (question.about === 'reach' ? question.channels.map(() => counts(0, 1, 0)) : null),
  });
  const items = channels.map(({ channel }): [string, string] => [channel, '1']);
  const { body } = await publish('/publish/?reach=1', {}, ...items);
  t.match(body.items[0], { reach: counts(0, 1, 0) });
  t.notMatch(body.items.at(-1), { reach: {} });
});

t.test('the processes of a node answer as one, by channel; what cannot be read counts as none', async (t) => {
  const question = { about: 'reach', channels: ['a', 'b'] } as const;
  const answers = [
    [counts(1, 0, 0), counts(0, 2, 0)],
    undefined,
    [counts(1, 1, 1)],
    'x',
    [counts(3, 0, 0), counts(0, 0, 4)],
  ];
  t.strictSame(mergeAnswers(question, answers), [counts(4, 0, 0), counts(0, 2, 4)]);
  t.strictSame(
    mergeAnswers(question, [
      [counts(-1, 0, 0), counts(0, 0.5, 0)],
      [null, null],
    ]),
    [counts(0, 0, 0), counts(0, 0, 0)],
  );
});
