/** The contract of `PrefixInterest` as tests, for every backplane: see contract.ts. */
import { parseItem } from '@holdfast/grip';
import type { Test } from 'tap';
import { type Backplane, type Message, type PrefixInterest, prefixInterestOf } from '../../dist/index.js';
import { streamMessage } from '../items.js';
import type { RecordingListener } from '../recorder.js';

interface Node {
  readonly backplane: Backplane;
  readonly listener: RecordingListener;
}

type Clause = (title: string, run: (t: Test, nodes: readonly [Node, ...Node[]]) => Promise<void>) => void;

function prefixes({ backplane }: Node): PrefixInterest {
  const interest = prefixInterestOf(backplane);
  if (interest === undefined) throw new Error('it has no interest in prefixes');
  return interest;
}

/** What came by prefixes: `prefix>channel/id`. */
function byPrefix({ listener }: Node): string[] {
  return listener.messages.flatMap((message) =>
    message.type === 'item' && message.prefix !== undefined
      ? [`${message.prefix}>${message.item.channel}/${message.id}`]
      : [],
  );
}

/** Each clause ends with a recover where it waits for all that went before on other channels. */
export function prefixClauses(clause: Clause): void {
  clause('a prefix has the items of all channels that begin with it, on every node with interest', async (t, nodes) => {
    for (const node of nodes) await prefixes(node).subscribePrefix('a-');
    const sent = ['a-1', 'b-1', 'a-', 'a', 'a-2', 'A-1'].map((channel) => streamMessage(channel, '1'));
    await nodes[0].backplane.publish([...sent, streamMessage('a-end', 'end')]);
    for (const node of nodes) {
      // Each channel is ordered alone.
      for (const label of ['a-1/1', 'a-/1', 'a-2/1', 'a-end/end']) await node.listener.saw(label);
      t.strictSame(byPrefix(node).sort(), ['a->a-/1', 'a->a-1/1', 'a->a-2/1', 'a->a-end/end']);
      t.ok(node.listener.messages.every((message) => message.type === 'item' && message.position === undefined));
    }
  });

  clause('prefixes are exact, and may hold any character', async (t, [node]) => {
    const names = ['*', 'a*', 'a[b]', '{a}', 'a\nb', '\u00e9', 'e\u0301', ' ', '\u2603'];
    for (const name of names) await prefixes(node).subscribePrefix(name);
    await node.backplane.publish(names.map((name) => streamMessage(`${name}x`, '1')));
    await node.backplane.publish([streamMessage('ab', '1'), streamMessage('axb', '1'), streamMessage('*end', 'end')]);
    await node.listener.saw('*end/end');
    for (const name of names) await node.listener.saw(`${name}x/1`);
    t.strictSame(byPrefix(node).sort(), [...names.map((name) => `${name}>${name}x/1`), '*>*end/end'].sort());
  });

  clause('a channel and each of its prefixes bring an item once each', async (t, [node]) => {
    await node.backplane.subscribe('a-b-1');
    for (const prefix of ['a-', 'a-b-']) await prefixes(node).subscribePrefix(prefix);
    await prefixes(node).subscribePrefix('a-');
    await node.backplane.publish([
      streamMessage('a-b-1', '1'),
      streamMessage('a-b-1', '1'),
      streamMessage('a-b-1', '2'),
    ]);
    const all = () => node.listener.messages.length === 6;
    while (!all()) await new Promise((resolve) => setImmediate(resolve));
    t.strictSame(byPrefix(node).sort(), ['a->a-b-1/1', 'a->a-b-1/2', 'a-b->a-b-1/1', 'a-b->a-b-1/2']);
    const exact = node.listener.messages.filter((message) => message.type === 'item' && message.prefix === undefined);
    t.strictSame(
      exact.map((message) => message.type === 'item' && message.id),
      ['1', '2'],
    );
  });

  clause('versions are those of each channel: what is stale there does not come by a prefix', async (t, [node]) => {
    await prefixes(node).subscribePrefix('a-');
    const versioned = (channel: string, id: string, version: number) => {
      const message = streamMessage(channel, id);
      return { ...message, item: { ...message.item, version, versionEpoch: '' } };
    };
    const results = await node.backplane.publish([
      versioned('a-1', '1', 5),
      versioned('a-2', '1', 1),
      versioned('a-1', '2', 4),
      versioned('a-1', '3', 6),
    ]);
    t.strictSame(
      results.map(({ stale = false }) => stale),
      [false, false, true, false],
    );
    t.equal((await node.backplane.publish([versioned('a-1', '4', 6)]))[0]?.stale, true, 'of a later batch');
    await node.backplane.publish([streamMessage('a-3', 'end')]);
    for (const label of ['a-1/3', 'a-2/1', 'a-3/end']) await node.listener.saw(label);
    t.strictSame(byPrefix(node).sort(), ['a->a-1/1', 'a->a-1/3', 'a->a-2/1', 'a->a-3/end']);
  });

  clause('ids are those of each channel; a made one is none', async (t, [node]) => {
    await prefixes(node).subscribePrefix('a-');
    const item = parseItem({ channel: 'a-1', formats: { 'http-stream': { content: 'x' } } });
    const made = { type: 'item', item, id: 'made' } as const;
    await node.backplane.publish([streamMessage('a-1', '1'), streamMessage('a-2', '1'), streamMessage('a-1', '1')]);
    await node.backplane.publish([made, made, streamMessage('a-3', 'end')]);
    for (const label of ['a-1/1', 'a-2/1', 'a-3/end']) await node.listener.saw(label);
    t.strictSame(
      byPrefix(node)
        .filter((label) => !label.includes('/made'))
        .sort(),
      ['a->a-1/1', 'a->a-2/1', 'a->a-3/end'],
    );
    const without = () =>
      node.listener.messages.filter((message) => message.type === 'item' && message.item.id === undefined);
    while (without().length < 2) await new Promise((resolve) => setImmediate(resolve));
    t.equal(without().length, 2);
  });

  clause(
    'the items of a channel come by a prefix in order, whichever nodes they are published by',
    async (t, nodes) => {
      const last = nodes[nodes.length - 1] as Node;
      await last.backplane.subscribe('a-1');
      await prefixes(last).subscribePrefix('a-');
      const calls: Promise<unknown>[] = [];
      for (let call = 0; call < 20; call++) {
        for (const [n, { backplane }] of nodes.entries()) {
          const batch: Message[] = [];
          for (let i = 0; i < 3; i++)
            batch.push(streamMessage('a-1', `${n}.${call}.${i}`), streamMessage('a-2', `x${n}.${call}.${i}`));
          calls.push(backplane.publish(batch));
        }
      }
      await Promise.all(calls);
      await nodes[0].backplane.publish([streamMessage('a-1', 'end')]);
      const of = (prefix: string | undefined) =>
        last.listener.messages.flatMap((message) =>
          message.type === 'item' && message.item.channel === 'a-1' && message.prefix === prefix ? [message.id] : [],
        );
      while (of('a-').at(-1) !== 'end' || of(undefined).at(-1) !== 'end')
        await new Promise((resolve) => setImmediate(resolve));
      t.equal(of('a-').length, nodes.length * 60 + 1);
      t.strictSame(of('a-'), of(undefined));
    },
  );

  clause('interest in a prefix can be withdrawn and declared again', async (t, [node]) => {
    await node.backplane.subscribe('end');
    await prefixes(node).subscribePrefix('a-');
    prefixes(node).unsubscribePrefix('a-');
    prefixes(node).unsubscribePrefix('a-');
    prefixes(node).unsubscribePrefix('never');
    await node.backplane.publish([streamMessage('a-1', '1')]);
    await prefixes(node).subscribePrefix('a-');
    await node.backplane.publish([streamMessage('a-1', '2'), streamMessage('end', 'end')]);
    await node.listener.saw('a-1/2');
    await node.listener.saw('end/end');
    t.strictSame(byPrefix(node), ['a->a-1/2']);
  });

  clause('a node with interest in a prefix counts where nodes are counted', async (t, [node]) => {
    const [before] = await node.backplane.publish([streamMessage('a-1', '1')]);
    await prefixes(node).subscribePrefix('a-');
    const [after] = await node.backplane.publish([streamMessage('a-1', '2')]);
    if (before?.nodes !== undefined) t.strictSame([before.nodes, after?.nodes], [0, 1]);
    t.pass();
  });

  clause('after close interest in a prefix is refused', async (t, [node]) => {
    const interest = prefixes(node);
    await interest.subscribePrefix('a-');
    await node.backplane.close();
    await t.rejects(Promise.resolve(interest.subscribePrefix('b-')), { code: 'ERR_BACKPLANE_CLOSED' });
    interest.unsubscribePrefix('a-');
  });
}
