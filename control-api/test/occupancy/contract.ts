/** The contract of `Occupancy` as tests. Every implementation runs it; what is particular to one is tested beside it. */
import type { Test } from 'tap';
import type { Occupancy, OccupancyEdge, OccupancyListener } from '../../dist/index.js';
import { until } from '../backplane/redis/redis-fixture.js';

/** How long a member is kept in these tests, in ms. */
export const DELAY_MS = 100;

/** Makes so many nodes of one system, none of which has started; they go with the test. */
export type MakeNodes = (t: Test, count: number) => Promise<readonly Occupancy[]>;

/** What the listeners of all nodes were called with, in short: `+group/member=size`, or `-` for who has gone. */
export class RecordedEdges implements OccupancyListener {
  readonly edges: OccupancyEdge[] = [];
  calls = 0;

  onEdges(edges: readonly OccupancyEdge[]): void {
    this.calls++;
    this.edges.push(...edges);
  }

  /** Of this group. */
  of(group: string): string[] {
    return this.edges
      .filter((edge) => edge.group === group)
      .map(({ occupied, member, size }) => `${occupied ? '+' : '-'}${member}=${size}`);
  }

  /** Waits until the last edge of a group is this one. */
  async last(group: string, edge: string): Promise<void> {
    await until(`${edge} of ${group} after ${this.of(group)}`, () => this.of(group).at(-1) === edge);
  }
}

/** Runs the contract, on two nodes too unless there can be but one (`alone`). */
export function occupancyContract(t: Test, name: string, makeNodes: MakeNodes, { alone = false } = {}): void {
  const clause = (
    title: string,
    count: number,
    run: (t: Test, recorded: RecordedEdges, nodes: readonly [Occupancy, Occupancy]) => Promise<void>,
  ) =>
    t.test(`${name}: ${title}`, async (t) => {
      const nodes = await makeNodes(t, count);
      const recorded = new RecordedEdges();
      for (const node of nodes) node.start(recorded);
      await run(t, recorded, nodes as unknown as readonly [Occupancy, Occupancy]);
    });

  clause(
    'the first of a member is an edge, and the last; what is in between is none',
    1,
    async (t, recorded, [node]) => {
      node.enter('g', 'a');
      node.enter('g', 'a');
      await recorded.last('g', '+a=1');
      node.enter('g', 'b');
      await recorded.last('g', '+b=2');
      node.leave('g', 'a');
      node.leave('g', 'b');
      await recorded.last('g', '-b=1');
      node.leave('g', 'a');
      await recorded.last('g', '-a=0');
      t.strictSame(recorded.of('g'), ['+a=1', '+b=2', '-b=1', '-a=0']);
      const seqs = recorded.edges.map(({ seq }) => seq);
      t.strictSame(
        [...seqs].sort((x, y) => x - y),
        seqs,
      );
      t.equal(new Set(seqs).size, seqs.length);
    },
  );

  clause('who comes back within the delay makes no edge', 1, async (t, recorded, [node]) => {
    node.enter('g', 'a');
    node.enter('g', 'b');
    await recorded.last('g', '+b=2');
    node.leave('g', 'a');
    node.leave('g', 'b');
    node.enter('g', 'a');
    // They would be given up in the order in which they left.
    await recorded.last('g', '-b=1');
    t.strictSame(recorded.of('g'), ['+a=1', '+b=2', '-b=1']);
  });

  clause('a leave that matches no enter is ignored', 1, async (t, recorded, [node]) => {
    node.leave('g', 'a');
    node.enter('g', 'a');
    node.leave('g', 'a');
    node.leave('g', 'a');
    node.enter('g', 'a');
    node.leave('g', 'a');
    node.enter('g', 'b');
    await until('one has come, and the other has gone', () => recorded.of('g').at(-1) === '-a=1');
    t.equal(recorded.of('g').length, 3);
  });

  clause('groups and members are kept apart, whatever they are called', 1, async (t, recorded, [node]) => {
    const names = ['', 'a', '1:a', 'ä☃', 'a/b {c}\n', '$presence'];
    for (const group of names) for (const member of names) node.enter(group, member, `${group}|${member}`);
    await until('all are there', () => recorded.edges.length === names.length ** 2);
    for (const { group, member, occupied, note } of recorded.edges) {
      t.ok(occupied);
      t.equal(note, `${group}|${member}`);
    }
    for (const group of names) t.equal(recorded.of(group).at(-1)?.endsWith('=6'), true);
  });

  clause('thousands who go at once are few calls', 1, async (t, recorded, [node]) => {
    const count = 3_000;
    for (let i = 0; i < count; i++) node.enter('g', String(i));
    await until('all are there', () => recorded.edges.length === count);
    const before = recorded.calls;
    for (let i = 0; i < count; i++) node.leave('g', String(i));
    await until('all have gone', () => recorded.edges.length === 2 * count);
    t.match(recorded.edges.at(-1), { occupied: false, size: 0 });
    t.ok(recorded.calls - before <= 20, `${recorded.calls - before} calls`);
  });

  clause('after the end nothing is counted', 1, async (t, recorded, [node]) => {
    node.enter('g', 'a');
    await recorded.last('g', '+a=1');
    await node.close();
    node.enter('g', 'b');
    node.leave('g', 'a');
    await node.close();
    await new Promise((resolve) => setTimeout(resolve, 2 * DELAY_MS));
    t.strictSame(recorded.of('g'), ['+a=1']);
  });

  if (alone) return;

  clause(
    'a member of several nodes is one, and is gone when the last node has let it go',
    2,
    async (t, recorded, nodes) => {
      const [one, two] = nodes;
      one.enter('g', 'a');
      await recorded.last('g', '+a=1');
      two.enter('g', 'a');
      two.enter('g', 'b');
      await recorded.last('g', '+b=2');
      one.leave('g', 'a');
      one.enter('g', 'c');
      one.leave('g', 'c');
      await recorded.last('g', '-c=2');
      t.notOk(recorded.of('g').some((edge) => edge.startsWith('-a')));
      two.leave('g', 'a');
      await recorded.last('g', '-a=1');
      t.equal(recorded.of('g').filter((edge) => edge.includes('a=')).length, 2);
    },
  );

  clause(
    'who goes from one node and comes to another within the delay makes no edge',
    2,
    async (t, recorded, nodes) => {
      const [one, two] = nodes;
      one.enter('g', 'a');
      one.enter('g', 'b');
      await recorded.last('g', '+b=2');
      one.leave('g', 'a');
      two.enter('g', 'a');
      one.leave('g', 'b');
      await recorded.last('g', '-b=1');
      t.notOk(recorded.of('g').includes('-a=1'));
    },
  );

  clause('what a node has that ends is gone after the delay, unless others have it', 2, async (t, recorded, nodes) => {
    const [one, two] = nodes;
    one.enter('g', 'a');
    one.enter('g', 'b');
    two.enter('g', 'b');
    await until('both are there', () => recorded.edges.length === 2);
    await one.close();
    await until('one has gone', () => recorded.edges.length === 3);
    t.equal(recorded.of('g').at(-1), '-a=1');
  });
}
