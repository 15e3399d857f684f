/** The views of the control API: nodes, channels and connections of all nodes at once. */

import { type Cluster, type KnownNode, type Question, SILENT_AFTER_MS } from '../cluster/cluster.js';
import { ControlError } from '../errors.js';
import { type Answer, answerTo, connectionUnknown, shown, tooManyViews } from '../http/answer.js';
import type { Clock } from '../runtime/clock.js';
import { within } from '../runtime/deadline.js';
import { type ChannelView, readChannelView, readConnectionView, sumChannelViews } from './node-answers.js';

/**
 * Milliseconds that nodes have to answer. Whoever asks waits so long for those that are silent.
 *
 * @limit {s} for nodes to answer a view
 * @over the others are named as silent
 */
export const ANSWER_WITHIN_MS = 2_000;

/**
 * Views that one node gathers at a time; a silent node makes each last for seconds. More are refused with 503, so that
 * connections are left for publishers.
 *
 * @limit {} views that one node gathers at a time
 * @over 503
 */
export const MAX_VIEWS = 256;

/** What a request wants to see: the nodes, or what these are asked for. */
export type ViewRequest = { readonly about: 'nodes' } | Question;

interface NodeReply<T> {
  readonly node: string;
  readonly answer: T;
}

/** Answers for all nodes of the system. A node whose answer cannot be read counts as silent. */
export class ClusterViews {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  #gathering = 0;

  /** `cluster` must be joined before the first request. */
  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster;
    this.#clock = clock;
  }

  /**
   * 200 with a view; 404 when no node that answered has the connection; 503 when the nodes cannot be asked, but for the list of
   * them, or too many views are under way. Silent nodes are named, after {@link ANSWER_WITHIN_MS}. Never rejects.
   */
  async answer(request: ViewRequest): Promise<Answer> {
    if (this.#gathering >= MAX_VIEWS) return tooManyViews;
    this.#gathering++;
    try {
      switch (request.about) {
        case 'nodes':
          return await this.#list();
        case 'channel':
          return await this.#channel(request);
        case 'connection':
          return await this.#connection(request);
        case 'disconnect':
          return await this.#disconnect(request);
      }
    } catch (error) {
      return answerTo(error);
    } finally {
      this.#gathering--;
    }
  }

  /** While the others cannot be asked, the node that was asked still knows itself. */
  async #list(): Promise<Answer> {
    try {
      const nodes = await within(this.#clock, ANSWER_WITHIN_MS, this.#cluster.list());
      const silent = nodes.filter(({ age }) => age > SILENT_AFTER_MS).map(({ id }) => id);
      return shown({ nodes: nodes.map(nodeView), silent });
    } catch (error) {
      const own = this.#cluster.self();
      if (own === undefined || !(error instanceof ControlError)) throw error;
      return shown({ nodes: [nodeView(own)], silent: [], trouble: error.message });
    }
  }

  async #channel(question: Question & { readonly about: 'channel' }): Promise<Answer> {
    const { replies, silent } = await this.#ask(question, readChannelView);
    const nodes = replies.map(({ node, answer }: NodeReply<ChannelView>) => ({ node, ...answer }));
    return shown({ channel: question.name, ...sumChannelViews(nodes), nodes, silent });
  }

  async #connection(question: Question): Promise<Answer> {
    const { replies, silent } = await this.#ask(question, (answer) =>
      answer === null ? null : readConnectionView(answer),
    );
    const found = replies.find(({ answer }) => answer !== null);
    return found === undefined ? connectionUnknown(silent) : shown({ node: found.node, ...found.answer, silent });
  }

  async #disconnect(question: Question): Promise<Answer> {
    const { replies, silent } = await this.#ask(question, (answer) =>
      typeof answer === 'boolean' ? answer : undefined,
    );
    const found = replies.find(({ answer }) => answer);
    return found === undefined
      ? connectionUnknown(silent)
      : shown({ message: 'Disconnected', node: found.node, silent });
  }

  async #ask<T>(
    question: Question,
    read: (answer: unknown) => T | undefined,
  ): Promise<{ readonly replies: readonly NodeReply<T>[]; readonly silent: readonly string[] }> {
    // Nodes keep the time themselves, and answer with what there is. Beyond twice that they are not there at all.
    const asked = this.#cluster.ask(question, ANSWER_WITHIN_MS);
    const { answers, silent } = await within(this.#clock, 2 * ANSWER_WITHIN_MS, asked);
    const replies: NodeReply<T>[] = [];
    const unread: string[] = [];
    for (const { node, answer } of answers) {
      const known = read(answer);
      if (known === undefined) unread.push(node);
      else replies.push({ node, answer: known });
    }
    return { replies, silent: [...silent, ...unread] };
  }
}

/** As the others of its JSON: points in time are ISO 8601 in UTC, durations milliseconds. */
function nodeView({ startedAt, ...node }: KnownNode): object {
  const started = new Date(startedAt);
  // Of another version, or of another program in Redis: it hides no other node.
  return Number.isNaN(started.getTime()) ? node : { ...node, started: started.toISOString() };
}
