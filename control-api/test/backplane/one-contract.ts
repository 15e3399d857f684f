/** The contract of items with `deliver: one` as tests, for every backplane: see contract.ts. */
import { parseItem } from '@holdfast/grip';
import type { Test } from 'tap';
import { type Backplane, historyOf, type Message, prefixInterestOf } from '../../dist/index.js';
import { streamMessage } from '../items.js';
import type { RecordingListener } from '../recorder.js';

interface Node {
  readonly backplane: Backplane;
  readonly listener: RecordingListener;
}

type Nodes = readonly [Node, ...Node[]];

type Clause = (title: string, run: (t: Test, nodes: Nodes) => Promise<void>) => void;

const forOne = (channel: string, id: string): Message => ({
  type: 'item',
  item: parseItem({ channel, id, deliver: 'one', formats: { 'http-stream': { content: id } } }),
  id,
});

const numbered = (channel: string, from: number, count: number): Message[] =>
  Array.from({ length: count }, (_, i) => forOne(channel, String(from + i)));

const given = (nodes: Nodes): string[] => nodes.flatMap(({ listener }) => listener.given);

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Once so many were given, and everybody who asked has been answered. */
async function settled(nodes: Nodes, count: number): Promise<void> {
  while (given(nodes).length < count || nodes.some(({ listener }) => listener.claiming > 0)) await turn();
}

/** Once an item for all that was published now has come to these. */
async function passed(from: Node, nodes: readonly Node[], channel: string): Promise<void> {
  await from.backplane.publish([streamMessage(channel, 'end')]);
  for (const { listener } of nodes) await listener.saw(`${channel}/end`);
}

const byNumber = (ids: readonly string[]) => [...ids].sort((a, b) => Number(a) - Number(b));

/** Whoever publishes, and whoever asks first. */
export function oneClauses(clause: Clause): void {
  clause('an item for one subscriber is given by one node, and all of them come to their turn', async (t, nodes) => {
    for (const { backplane, listener } of nodes) {
      listener.hasSubscriber = true;
      await backplane.subscribe('a');
    }
    await nodes[0].backplane.publish([forOne('a', '0')]);
    await settled(nodes, 1);
    const count = 4 * nodes.length;
    await nodes[0].backplane.publish(numbered('a', 1, count));
    await settled(nodes, count + 1);
    await passed(nodes[0], nodes, 'a');
    await settled(nodes, count + 1);
    const expected = Array.from({ length: count + 1 }, (_, i) => String(i));
    t.strictSame(byNumber(given(nodes)), expected, 'each once');
    for (const { listener } of nodes) t.ok(listener.given.length >= 2, `${listener.given.length} of ${count + 1}`);
  });

  clause('a node that has nobody for an item is passed over, and gets none', async (t, nodes) => {
    const last = nodes[nodes.length - 1] as Node;
    for (const { backplane } of nodes) await backplane.subscribe('a');
    last.listener.hasSubscriber = true;
    await nodes[0].backplane.publish(numbered('a', 0, 6));
    await settled(nodes, 6);
    await passed(nodes[0], nodes, 'a');
    t.strictSame(byNumber(last.listener.given), ['0', '1', '2', '3', '4', '5']);
    t.equal(given(nodes).length, 6);
  });

  clause('an item for which nobody is there is nobody’s afterwards', async (t, nodes) => {
    for (const { backplane } of nodes) await backplane.subscribe('a');
    await nodes[0].backplane.publish([forOne('a', '0')]);
    for (const { listener } of nodes) await listener.saw('a/0');
    for (const { listener } of nodes) listener.hasSubscriber = true;
    await nodes[0].backplane.publish([forOne('a', '1')]);
    await settled(nodes, 1);
    t.strictSame(given(nodes), ['1']);
  });

  clause('an item that comes by its channel and by prefixes is given once', async (t, nodes) => {
    const last = nodes[nodes.length - 1] as Node;
    for (const { listener } of nodes) listener.hasSubscriber = true;
    await nodes[0].backplane.subscribe('a-b-1');
    for (const prefix of ['a-', 'a-b-']) await prefixInterestOf(last.backplane)?.subscribePrefix(prefix);
    await nodes[0].backplane.publish(numbered('a-b-1', 0, 6));
    await settled(nodes, 6);
    await passed(nodes[0], [nodes[0], last], 'a-b-1');
    // What has come by the prefixes has come by now as well, or comes in vain.
    const byPrefix = (message: Message) => message.type === 'item' && message.prefix !== undefined;
    while (last.listener.messages.filter(byPrefix).length < 14) await turn();
    await settled(nodes, 6);
    t.strictSame(byNumber(given(nodes)), ['0', '1', '2', '3', '4', '5']);
  });

  clause('a duplicate of an item for one subscriber goes nowhere', async (t, nodes) => {
    for (const { backplane, listener } of nodes) {
      listener.hasSubscriber = true;
      await backplane.subscribe('a');
    }
    await nodes[0].backplane.publish([forOne('a', '0')]);
    const last = nodes[nodes.length - 1] as Node;
    const [again] = await last.backplane.publish([forOne('a', '0')]);
    t.match(again, { duplicate: true });
    await passed(nodes[0], nodes, 'a');
    await settled(nodes, 1);
    t.strictSame(given(nodes), ['0']);
  });

  clause('the history has what is for all only', async (t, [node]) => {
    await node.backplane.subscribe('a');
    const [first] = await node.backplane.publish([streamMessage('a', '1')]);
    await node.backplane.publish([forOne('a', 'x'), streamMessage('a', '2'), forOne('a', 'y')]);
    const history = historyOf(node.backplane);
    if (history === undefined || first?.position === undefined) {
      t.pass('none is kept');
      return;
    }
    const idsOf = (page: Awaited<ReturnType<typeof history.read>>) => page?.messages.map(({ id }) => id);
    const after = await history.read('a', { after: first.position }, 10);
    t.strictSame([idsOf(after), after?.complete], [['2'], true]);
    const last = await history.read('a', { last: 10 }, 10);
    t.strictSame([idsOf(last), last?.complete], [['1', '2'], true]);
    const rest = after && (await history.read('a', { after: after.end }, 10));
    t.strictSame([idsOf(rest), rest?.complete], [[], true], 'and goes on behind it');
  });
}
