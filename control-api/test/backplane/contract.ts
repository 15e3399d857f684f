/**
 * The contract of `Backplane` as tests. Every implementation runs it; what is particular to one is tested beside it.
 */

import { itemToJson, parseItem } from '@holdfast/grip';
import type { Test } from 'tap';
import type { Backplane, ControlErrorCode, Message } from '../../dist/index.js';
import { ControlError } from '../../dist/index.js';
import { streamMessage } from '../items.js';
import { RecordingListener } from '../recorder.js';
import { oneClauses } from './one-contract.js';
import { prefixClauses } from './prefix-contract.js';

/** Backplanes under test, one per node, not yet started and connected to each other once they are. */
export interface ContractNodes {
  /** At least one; the clauses about several nodes run if there are two or more. */
  readonly backplanes: readonly Backplane[];
  /** Releases what the nodes share, after they were closed. */
  dispose?(): Promise<void>;
}

interface Node {
  readonly backplane: Backplane;
  readonly listener: RecordingListener;
}

type Nodes = readonly [Node, ...Node[]];

/**
 * Runs the contract on fresh nodes per clause. `parts`: the backplanes are those of the parts of a single node, such as its
 * workers, and count as one.
 */
export function backplaneContract(
  t: Test,
  name: string,
  makeNodes: () => Promise<ContractNodes>,
  { parts = false } = {},
): void {
  const clause = (title: string, run: (t: Test, nodes: Nodes) => Promise<void>) =>
    t.test(`${name}: ${title}`, async (t) => {
      const made = await makeNodes();
      t.teardown(async () => {
        await Promise.all(made.backplanes.map((backplane) => backplane.close()));
        await made.dispose?.();
      });
      const nodes = made.backplanes.map((backplane) => ({ backplane, listener: new RecordingListener() }));
      await Promise.all(nodes.map(({ backplane, listener }) => backplane.start(listener)));
      await run(t, nodes as unknown as Nodes);
    });
  deliveryClauses(clause);
  interestClauses(clause);
  orderClauses(clause);
  acceptanceClauses(clause, parts);
  failureClauses(clause);
  prefixClauses(clause);
  oneClauses(clause);
  t.test(`${name}: nothing is accepted before start`, async (t) => {
    const made = await makeNodes();
    const backplane = made.backplanes[0] as Backplane;
    await rejects(t, backplane.publish([streamMessage('a', '1')]), 'ERR_BACKPLANE_UNAVAILABLE');
    await rejects(t, backplane.subscribe('a'), 'ERR_BACKPLANE_UNAVAILABLE');
    await Promise.all(made.backplanes.map((each) => each.close()));
    await made.dispose?.();
  });
}

type Clause = (title: string, run: (t: Test, nodes: Nodes) => Promise<void>) => void;

function deliveryClauses(clause: Clause): void {
  clause('an item reaches every node with interest, once, the publishing node included', async (t, nodes) => {
    for (const { backplane } of nodes) await backplane.subscribe('a');
    await nodes[0].backplane.publish([streamMessage('a', '1'), streamMessage('a', 'end')]);
    for (const { listener } of nodes) {
      await listener.saw('a/end');
      t.strictSame(listener.labels, ['a/1', 'a/end']);
    }
  });

  clause('an item arrives with everything it was published with', async (t, nodes) => {
    const published = parseItem({
      channel: 'a',
      id: '2',
      'prev-id': '1',
      meta: { sender: 'é' },
      'no-seq': true,
      size: 7,
      formats: {
        'http-response': { code: 201, headers: [['X', 'y']], 'body-bin': '/wAB' },
        'http-stream': { 'content-bin': '/wAB' },
        'ws-message': { content: 'snow \u2603' },
      },
    });
    for (const { backplane } of nodes) await backplane.subscribe('a');
    const headers = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', other: '' };
    await nodes[0].backplane.publish([{ type: 'item', item: published, id: '2', headers }, streamMessage('a', '3')]);
    for (const { listener } of nodes) {
      await listener.saw('a/3');
      const [message, plain] = listener.messages;
      if (message?.type !== 'item' || plain?.type !== 'item') throw new Error('not an item');
      t.strictSame(itemToJson(message.item), itemToJson(published));
      t.strictSame({ ...message.headers }, headers);
      t.equal(plain.headers, undefined);
    }
  });

  clause('a made id travels beside the item, which stays without id', async (t, nodes) => {
    const last = nodes[nodes.length - 1] as Node;
    await last.backplane.subscribe('a');
    const item = parseItem({ channel: 'a', formats: { 'http-stream': { content: 'x' } } });
    await nodes[0].backplane.publish([{ type: 'item', item, id: 'made' }]);
    await last.listener.saw('a/made');
    const [message] = last.listener.messages;
    t.equal(message?.type === 'item' && message.item.id, undefined);
  });

  clause('recover reaches every node, interested in anything or not', async (t, nodes) => {
    await nodes[0].backplane.publish([{ type: 'recover' }]);
    for (const { listener } of nodes) {
      await listener.saw('recover');
      t.strictSame(listener.labels, ['recover']);
    }
  });

  clause('an empty list is accepted', async (t, nodes) => {
    await nodes[0].backplane.publish([]);
    t.strictSame(nodes[0].listener.labels, []);
  });
}

function interestClauses(clause: Clause): void {
  clause('an item does not reach a node without interest in its channel', async (t, nodes) => {
    const last = nodes[nodes.length - 1] as Node;
    await last.backplane.subscribe('mine');
    await nodes[0].backplane.publish([streamMessage('other', '1'), streamMessage('mine', '2')]);
    await last.listener.saw('mine/2');
    t.strictSame(last.listener.labels, ['mine/2']);
  });

  clause('subscribing twice delivers once, and unsubscribing once ends it', async (t, [{ backplane, listener }]) => {
    await backplane.subscribe('a');
    await backplane.subscribe('a');
    await backplane.subscribe('end');
    await backplane.publish([streamMessage('a', '1'), streamMessage('end', '1')]);
    await listener.saw('a/1');
    await listener.saw('end/1');
    backplane.unsubscribe('a');
    await backplane.publish([streamMessage('a', '2'), streamMessage('end', '2')]);
    await listener.saw('end/2');
    // Between channels no order is promised.
    t.strictSame([...listener.labels].sort(), ['a/1', 'end/1', 'end/2']);
  });

  clause('interest can be withdrawn and declared again', async (t, [{ backplane, listener }]) => {
    await backplane.subscribe('a');
    backplane.unsubscribe('a');
    backplane.unsubscribe('a');
    backplane.unsubscribe('never');
    await backplane.publish([streamMessage('a', '1')]);
    await backplane.subscribe('a');
    await backplane.publish([streamMessage('a', '2')]);
    await listener.saw('a/2');
    t.strictSame(listener.labels, ['a/2']);
  });

  clause('unsubscribing within a delivery ends it for the rest of the call', async (t, [{ backplane, listener }]) => {
    await backplane.subscribe('a');
    await backplane.subscribe('end');
    listener.before = (message) => {
      if (message.type === 'item' && message.item.channel === 'a') backplane.unsubscribe('a');
    };
    await backplane.publish([streamMessage('a', '1'), streamMessage('a', '2'), streamMessage('end', '3')]);
    await listener.saw('a/1');
    await listener.saw('end/3');
    t.strictSame([...listener.labels].sort(), ['a/1', 'end/3']);
  });

  clause('channel names are exact: no wildcards, no trimming, no folding', async (t, [{ backplane, listener }]) => {
    const names = [
      '',
      ' ',
      '*',
      'a*',
      'a',
      'A',
      'a b',
      'a,b',
      'a\nb',
      '{a}',
      '\u00e9',
      'e\u0301',
      '\u2603',
      '__proto__',
    ];
    for (const name of names) await backplane.subscribe(name);
    for (const name of names) await backplane.publish([streamMessage(name, '1')]);
    await backplane.publish([streamMessage('ab', '1'), streamMessage('{a', '1'), { type: 'recover' }]);
    await listener.saw('recover');
    for (const name of names) await listener.saw(`${name}/1`);
    t.strictSame(listener.labels.filter((each) => each !== 'recover').sort(), names.map((name) => `${name}/1`).sort());
  });
}

function orderClauses(clause: Clause): void {
  clause('order is kept within a call, and from call to call without awaiting', async (t, nodes) => {
    for (const { backplane } of nodes) await backplane.subscribe('a');
    const expected: string[] = [];
    const calls: Promise<unknown>[] = [];
    for (let call = 0; call < 50; call += 1) {
      const batch: Message[] = [];
      for (let i = 0; i < 5; i += 1) batch.push(streamMessage('a', `${call}.${i}`));
      expected.push(...batch.map((message) => `a/${message.type === 'item' && message.id}`));
      calls.push(nodes[0].backplane.publish(batch));
    }
    await Promise.all(calls);
    for (const { listener } of nodes) {
      await listener.saw('a/49.4');
      t.strictSame(listener.labels, expected);
    }
  });

  clause('what a listener publishes comes after what was on its way', async (t, [{ backplane, listener }]) => {
    await backplane.subscribe('a');
    let running = false;
    const published: Array<Promise<unknown>> = [];
    listener.before = (message) => {
      t.notOk(running, 'calls of onMessage do not overlap');
      running = true;
      if (message.type === 'item' && message.id === '1') {
        published.push(backplane.publish([streamMessage('a', 'nested')]));
      }
      running = false;
    };
    await backplane.publish([streamMessage('a', '1'), streamMessage('a', '2')]);
    await listener.saw('a/nested');
    await Promise.all(published);
    await backplane.publish([streamMessage('a', '3')]);
    await listener.saw('a/3');
    t.strictSame(listener.labels, ['a/1', 'a/2', 'a/nested', 'a/3']);
  });
}

function acceptanceClauses(clause: Clause, parts: boolean): void {
  clause('an id that was accepted is a duplicate on that channel, on whichever node', async (t, nodes) => {
    const last = nodes[nodes.length - 1] as Node;
    for (const { backplane } of nodes) await backplane.subscribe('a');
    const [first] = await nodes[0].backplane.publish([streamMessage('a', '1')]);
    const [again, next] = await last.backplane.publish([streamMessage('a', 'again', '1'), streamMessage('a', '2')]);
    const [elsewhere] = await last.backplane.publish([streamMessage('b', '1')]);
    t.match([first?.duplicate, again?.duplicate, next?.duplicate, elsewhere?.duplicate], [false, true, false, false]);
    t.strictSame(again?.position, first?.position, 'stands where the first one does');
    t.equal(again?.nodes, undefined);
    for (const { listener } of nodes) {
      await listener.saw('a/2');
      t.strictSame(listener.labels, ['a/1', 'a/2']);
    }
  });

  clause(
    'an id that comes twice in a call is a duplicate, one that was made is not',
    async (t, [{ backplane, listener }]) => {
      await backplane.subscribe('a');
      const twice = await backplane.publish([
        streamMessage('a', '1'),
        streamMessage('a', '1'),
        streamMessage('a', '2'),
      ]);
      t.strictSame(
        twice.map(({ duplicate }) => duplicate),
        [false, true, false],
      );
      const item = parseItem({ channel: 'a', formats: { 'http-stream': { content: 'x' } } });
      const made = await backplane.publish([1, 2].map(() => ({ type: 'item', item, id: 'made' })));
      t.strictSame(
        made.map(({ duplicate }) => duplicate),
        [false, false],
      );
      await backplane.publish([streamMessage('a', 'end')]);
      await listener.saw('a/end');
      t.strictSame(listener.labels, ['a/1', 'a/2', 'a/made', 'a/made', 'a/end']);
    },
  );

  clause('the nodes with interest are counted where that is known', async (t, nodes) => {
    for (let count = 0; count <= nodes.length; count += 1) {
      const [acceptance] = await nodes[0].backplane.publish([streamMessage('a', `with ${count}`)]);
      if (acceptance?.nodes !== undefined) t.equal(acceptance.nodes, parts ? Math.min(count, 1) : count);
      await nodes[count]?.backplane.subscribe('a');
    }
    t.pass();
  });

  clause('positions grow by one, and are the same on all nodes', async (t, nodes) => {
    const last = nodes[nodes.length - 1] as Node;
    for (const { backplane } of nodes) await backplane.subscribe('a');
    const one = await nodes[0].backplane.publish([streamMessage('a', '1'), streamMessage('a', '2')]);
    const two = await last.backplane.publish([streamMessage('a', '3'), streamMessage('b', 'other')]);
    const positions = [...one, ...two.slice(0, 1)].map(({ position }) => position);
    if (positions.some((position) => position !== undefined)) {
      t.strictSame(
        positions.map((position) => position?.offset),
        [1, 2, 3],
      );
      t.equal(new Set(positions.map((position) => position?.epoch)).size, 1);
      t.equal(two[1]?.position?.offset, 1, 'each channel is counted for itself');
    }
    for (const { listener } of nodes) {
      await listener.saw('a/3');
      t.strictSame(
        listener.messages.map((message) => message.type === 'item' && message.position),
        positions,
      );
    }
  });
}

function failureClauses(clause: Clause): void {
  clause(
    'a listener that throws harms neither other messages nor the publisher',
    async (t, [{ backplane, listener }]) => {
      await backplane.subscribe('a');
      listener.before = (message) => {
        if (message.type === 'item' && message.id === 'bad') throw new Error('listener fails');
      };
      await backplane.publish([streamMessage('a', '1'), streamMessage('a', 'bad'), streamMessage('a', '2')]);
      await backplane.publish([streamMessage('a', '3')]);
      await listener.saw('a/3');
      t.strictSame(listener.labels, ['a/1', 'a/2', 'a/3']);
    },
  );

  clause('after close everything is refused and nothing is delivered', async (t, [{ backplane, listener }]) => {
    await backplane.subscribe('a');
    await backplane.close();
    await rejects(t, backplane.publish([streamMessage('a', '1')]), 'ERR_BACKPLANE_CLOSED');
    await rejects(t, backplane.subscribe('b'), 'ERR_BACKPLANE_CLOSED');
    await rejects(t, backplane.start(listener), 'ERR_BACKPLANE_CLOSED');
    backplane.unsubscribe('a');
    t.strictSame(listener.labels, []);
  });

  clause('a node that closes within a delivery gets nothing more', async (t, [{ backplane, listener }]) => {
    await backplane.subscribe('a');
    let closed: Promise<void> | undefined;
    listener.before = () => {
      closed = backplane.close();
    };
    await backplane.publish([streamMessage('a', '1'), streamMessage('a', '2')]);
    await listener.saw('a/1');
    await closed;
    t.strictSame(listener.labels, ['a/1']);
  });

  clause('closing one node does not touch the others', async (t, nodes) => {
    const [first, second] = nodes;
    if (!second) return;
    await second.backplane.subscribe('a');
    await first.backplane.close();
    await second.backplane.publish([streamMessage('a', '1')]);
    await second.listener.saw('a/1');
    t.strictSame(second.listener.labels, ['a/1']);
  });

  clause('close may be called again', async (t, [{ backplane }]) => {
    await Promise.all([backplane.close(), backplane.close()]);
    t.equal(await backplane.close(), undefined);
  });

  clause('starting twice is refused', async (t, [{ backplane, listener }]) => {
    await rejects(t, backplane.start(listener), 'ERR_BACKPLANE_STARTED');
  });
}

async function rejects(t: Test, promise: Promise<unknown> | undefined, code: ControlErrorCode): Promise<void> {
  const error = await promise?.catch((reason: unknown) => reason);
  t.ok(error instanceof ControlError && error.code === code, `rejects with ${code}`);
}
