/** The contract of `Cluster` as tests. Every implementation runs it; what is particular to one is tested beside it. */
import type { Test } from 'tap';
import type { Cluster, NodeAnswer, NodeMember, NodeState, Question } from '../../dist/index.js';

/** A system of nodes under test. */
export interface ContractSystem {
  /** So many nodes of the system, none of which has joined yet. */
  readonly nodes: readonly Cluster[];
  /** Releases what the nodes share, after all have left. */
  dispose?(): Promise<void>;
}

/** Makes a system of so many nodes. */
export type MakeSystem = (count: number) => Promise<ContractSystem>;

/** A member that records what it is asked, and answers as the test sets. */
export class RecordingMember implements NodeMember {
  readonly asked: Question[] = [];
  connections = 0;
  answering: (question: Question) => Promise<unknown> = async (question) => ({ me: this.id, question });

  constructor(readonly id: string) {}

  state(): NodeState {
    const { id, connections } = this;
    return { id, host: `${id}.test`, pid: 1, version: '1.2.3', startedAt: 1_000, workers: 1, connections, channels: 3 };
  }

  answer(question: Question): Promise<unknown> {
    this.asked.push(question);
    return this.answering(question);
  }
}

interface Joined {
  readonly nodes: Cluster;
  readonly member: RecordingMember;
}

type JoinedNodes = readonly [Joined, ...Joined[]];

/** Long enough for every answer that comes at all, in ms. */
const LONG = 5_000;

/** Short enough for a test to wait for those that do not, in ms. */
const SHORT = 300;

const QUESTIONS: readonly Question[] = [
  { about: 'channel', name: '' },
  { about: 'members', name: 'a' },
  { about: 'channel', name: 'a/b?c "d" {e} ☃ \n' },
  { about: 'connection', id: 'abc-1' },
  { about: 'disconnect', id: 'abc-1' },
  { about: 'revoke', revocations: [{ sub: 'ü', before: 1, until: 2 }] },
];

/** Runs the contract on a fresh system per clause, of one node, and of three unless there can be but one (`alone`). */
export function nodesContract(t: Test, name: string, makeSystem: MakeSystem, { alone = false } = {}): void {
  const clause = (title: string, run: (t: Test, joined: JoinedNodes) => Promise<void>, count = 1) => {
    t.test(`${name}: ${title}`, async (t) => {
      const system = await makeSystem(count);
      t.teardown(async () => {
        await Promise.all(system.nodes.map((nodes) => nodes.leave()));
        await system.dispose?.();
      });
      const joined = system.nodes.map((nodes, i) => ({ nodes, member: new RecordingMember(`node-${i}`) }));
      await Promise.all(joined.map(({ nodes, member }) => nodes.join(member)));
      await run(t, joined as unknown as JoinedNodes);
    });
  };
  oneNode(clause);
  if (!alone) severalNodes((title, run) => clause(title, run, 3));
}

type Clause = (title: string, run: (t: Test, joined: JoinedNodes) => Promise<void>) => void;

function oneNode(clause: Clause): void {
  clause('a node that has joined knows itself, as it says of itself', async (t, [{ nodes, member }]) => {
    const [known, ...others] = await nodes.list();
    t.strictSame(others, []);
    t.match(known, member.state());
    t.ok(known !== undefined && known.age >= 0 && known.age < LONG);
  });

  clause('a node knows itself as it is now, and after it has left not at all', async (t, [{ nodes, member }]) => {
    member.connections = 9;
    t.strictSame(nodes.self(), { ...member.state(), connections: 9, age: 0 });
    t.strictSame(await nodes.list(), [nodes.self()]);
    await nodes.leave();
    t.equal(nodes.self(), undefined);
  });

  clause('every question arrives as it is, and its answer comes back', async (t, [{ nodes, member }]) => {
    for (const question of QUESTIONS) {
      const answer = { me: member.id, question };
      t.strictSame(await nodes.ask(question, LONG), { answers: [{ node: member.id, answer }], silent: [] });
    }
    t.strictSame(member.asked, QUESTIONS);
  });

  clause('null, false and nothing found are answers', async (t, [{ nodes, member }]) => {
    for (const answer of [null, false, 0, '']) {
      member.answering = async () => answer;
      const result = await nodes.ask({ about: 'connection', id: 'x' }, LONG);
      t.strictSame(result, { answers: [{ node: member.id, answer }], silent: [] });
    }
  });

  clause('a member that rejects or throws is silent', async (t, [{ nodes, member }]) => {
    member.answering = () => Promise.reject(new Error('no'));
    t.strictSame(await nodes.ask({ about: 'connection', id: 'x' }, SHORT), { answers: [], silent: [member.id] });
    member.answering = () => {
      throw new Error('no');
    };
    t.strictSame(await nodes.ask({ about: 'connection', id: 'x' }, SHORT), { answers: [], silent: [member.id] });
  });

  clause('a member that does not answer in time is silent', async (t, [{ nodes, member }]) => {
    member.answering = () => new Promise(() => {});
    t.strictSame(await nodes.ask({ about: 'connection', id: 'x' }, SHORT), { answers: [], silent: [member.id] });
  });

  clause('leave may be called again', async (t, [{ nodes }]) => {
    await Promise.all([nodes.leave(), nodes.leave()]);
    t.equal(await nodes.leave(), undefined);
  });
}

function severalNodes(clause: Clause): void {
  clause('every node knows all of them', async (t, joined) => {
    for (const { nodes } of joined) t.strictSame(await ids(nodes), ['node-0', 'node-1', 'node-2']);
  });

  clause('a question of any node is answered by all of them', async (t, joined) => {
    const question: Question = { about: 'channel', name: 'a' };
    for (const { nodes } of joined) {
      const { answers, silent } = await nodes.ask(question, LONG);
      t.strictSame(
        byNode(answers),
        joined.map(({ member: { id } }) => ({ node: id, answer: { me: id, question } })),
      );
      t.strictSame(silent, []);
    }
  });

  clause('a silent node is named, and costs the others nothing but the time', async (t, joined) => {
    const [first, second, third] = joined;
    if (second !== undefined) second.member.answering = () => new Promise(() => {});
    const { answers, silent } = await first.nodes.ask({ about: 'connection', id: 'x' }, SHORT);
    t.strictSame(
      byNode(answers).map(({ node }) => node),
      [first.member.id, third?.member.id],
    );
    t.strictSame(silent, ['node-1']);
  });

  clause('answers to questions that are asked at the same time are not mistaken for each other', async (t, joined) => {
    const asked = Array.from({ length: 30 }, (_, i): Question => ({ about: 'connection', id: String(i) }));
    const result = await Promise.all(
      asked.map((question, i) => (joined[i % joined.length] as Joined).nodes.ask(question, LONG)),
    );
    for (const [i, { answers }] of result.entries()) {
      t.equal(answers.length, joined.length);
      for (const { node, answer } of answers) t.strictSame(answer, { me: node, question: asked[i] });
    }
  });

  clause('a node that has left is neither listed, nor asked, nor missed', async (t, [first, second, third]) => {
    await second?.nodes.leave();
    t.strictSame(await ids(first.nodes), ['node-0', 'node-2']);
    const { answers, silent } = await first.nodes.ask({ about: 'channel', name: 'a' }, LONG);
    t.strictSame(
      byNode(answers).map(({ node }) => node),
      [first.member.id, third?.member.id],
    );
    t.strictSame(silent, []);
    t.strictSame(second?.member.asked, []);
  });
}

async function ids(nodes: Cluster): Promise<string[]> {
  return (await nodes.list()).map(({ id }) => id).sort();
}

const byNode = (answers: readonly NodeAnswer[]) => [...answers].sort((a, b) => (a.node < b.node ? -1 : 1));
