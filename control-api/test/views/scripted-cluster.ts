/** Several nodes of one system, each of which answers as a test says. */
import type { Cluster, KnownNode, NodeAnswer, NodeMember, Question } from '../../dist/index.js';

/** What a node answers; nothing for a silent one. */
export type Script = (question: Question) => unknown;

/** The nodes by id; a failure in their place is that of the backplane. */
export class ScriptedCluster implements Cluster {
  readonly asked: { readonly question: Question; readonly withinMs: number }[] = [];

  constructor(private readonly scripts: Readonly<Record<string, Script | undefined>> | Error) {}

  async join(_member: NodeMember): Promise<void> {}

  own: KnownNode | undefined;

  self(): KnownNode | undefined {
    return this.own;
  }

  async list(): Promise<readonly KnownNode[]> {
    if (this.scripts instanceof Error) throw this.scripts;
    const rest = { host: 'h', pid: 1, version: '1', startedAt: 0, workers: 1, connections: 2, channels: 3, age: 4 };
    return Object.keys(this.scripts).map((id) => ({ id, ...rest }));
  }

  async ask(question: Question, withinMs: number) {
    this.asked.push({ question, withinMs });
    if (this.scripts instanceof Error) throw this.scripts;
    const answers: NodeAnswer[] = [];
    const silent: string[] = [];
    for (const [node, script] of Object.entries(this.scripts)) {
      if (script === undefined) silent.push(node);
      else answers.push({ node, answer: script(question) });
    }
    return { answers, silent };
  }

  async leave(): Promise<void> {}
}
