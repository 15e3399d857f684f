/** The views of the control API: nodes, channels and connections of all nodes at once, from what each of them answers. */
import { subscriberKinds, zeroCounts } from '@holdfast/grip';
import type { Position } from '../backplane/backplane.js';
import { type Cluster, type KnownNode, type Question, SILENT_AFTER_MS } from '../cluster/cluster.js';
import { ControlError } from '../errors.js';
import { type Answer, answerTo, connectionUnknown, shown, tooManyViews } from '../http/answer.js';
import { readMembersView, sumMembersViews } from '../presence/members.js';
import { type Clock, within } from '../runtime/clock.js';
import {
  isCount,
  type KindCounts,
  mergeConnectionAnswers,
  readConnectionView,
  readCounts,
} from './connection-answers.js';
import { Reach, readReach, sumReach } from './reach.js';

/** A channel as one process, one node or all of them see it. */
export interface ChannelView {
  readonly subscribers: KindCounts;
  /** Of the last item that was seen; left out where none was since the first subscriber, and where items are not counted. */
  readonly position?: Position;
}

/**
 * Several views in one: subscribers are added up. The position is the furthest; left out if the views differ in the epoch,
 * because the later one is then unknown.
 */
export function sumChannelViews(views: readonly ChannelView[]): ChannelView {
  const subscribers = zeroCounts();
  let position: Position | undefined;
  const epochs = new Set<string>();
  for (const view of views) {
    for (const kind of subscriberKinds) subscribers[kind] += view.subscribers[kind];
    if (view.position === undefined) continue;
    epochs.add(view.position.epoch);
    if (position === undefined || view.position.offset > position.offset) position = view.position;
  }
  return { subscribers, ...(position !== undefined && epochs.size === 1 && { position }) };
}

/** Reads what a node or process answered; undefined when it is no view, as of a version that has another form. */
export function readChannelView(answer: unknown): ChannelView | undefined {
  const { subscribers, position } = (answer ?? {}) as { subscribers?: unknown; position?: unknown };
  const counts = readCounts(subscribers);
  if (counts === undefined) return undefined;
  const known = readPosition(position);
  return { subscribers: counts, ...(known !== undefined && { position: known }) };
}

function readPosition(value: unknown): Position | undefined {
  const { epoch, offset } = (value ?? {}) as Record<string, unknown>;
  return typeof epoch === 'string' && isCount(offset) ? { epoch, offset } : undefined;
}

/**
 * The answer of a node whose processes gave these: subscribers are added up, of connections the first that was found counts.
 * Answers that cannot be read count as none. Called by the process that answers for the others.
 */
export function mergeAnswers(question: Question, answers: readonly unknown[]): unknown {
  switch (question.about) {
    case 'channel':
      return sumChannelViews(answers.map(readChannelView).filter((view) => view !== undefined));
    case 'members':
      return sumMembersViews(answers.map(readMembersView).filter((view) => view !== undefined));
    case 'connection':
      return answers.find((answer) => readConnectionView(answer) !== undefined) ?? null;
    case 'disconnect':
      return answers.includes(true);
    case 'reach':
      return sumReach(question.channels.length, answers);
    case 'routes':
      return answers[0];
    case 'revoke':
      return answers.filter(isCount).reduce((sum, ended) => sum + ended, 0);
    default:
      return mergeConnectionAnswers(question, answers);
  }
}

/**
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
export type ViewRequest =
  | { readonly about: 'nodes' }
  | Extract<Question, { readonly about: 'channel' | 'members' | 'connection' | 'disconnect' }>;

/** What one node answered, read. */
export interface NodeReply<T> {
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
  answer(request: ViewRequest): Promise<Answer> {
    return this.#bounded(() => {
      switch (request.about) {
        case 'nodes':
          return this.#list();
        case 'channel':
          return this.#channel(request);
        case 'members':
          return this.#members(request);
        case 'connection':
          return this.#connection(request);
        case 'disconnect':
          return this.#disconnect(request);
      }
    });
  }

  /** Asks all nodes; `show` makes an answer of what `read` could read of theirs, given the silent nodes. Else as {@link answer}. */
  gather<T>(
    question: Question,
    read: (answer: unknown) => T | undefined,
    show: (replies: readonly NodeReply<T>[], silent: readonly string[]) => Answer,
  ): Promise<Answer> {
    return this.#bounded(async () => {
      const { replies, silent } = await this.#ask(question, read);
      return show(replies, silent);
    });
  }

  async #bounded(gather: () => Promise<Answer>): Promise<Answer> {
    if (this.#gathering >= MAX_VIEWS) return tooManyViews;
    this.#gathering++;
    try {
      return await gather();
    } catch (error) {
      return answerTo(error);
    } finally {
      this.#gathering--;
    }
  }

  /**
   * Who is subscribed to these channels on all nodes, as far as they answer within so many ms. Undefined when the nodes cannot be
   * asked, or too many views are under way. Never rejects.
   */
  async reach(channels: readonly string[], withinMs: number): Promise<Reach | undefined> {
    if (this.#gathering >= MAX_VIEWS) return undefined;
    this.#gathering++;
    try {
      const question = { about: 'reach', channels } as const;
      const { replies, silent } = await this.#ask(question, (answer) => readReach(answer, channels.length), withinMs);
      return new Reach(channels, replies, silent, this.#cluster.self()?.id);
    } catch {
      // A publish does not fail for what was to be said about it.
      return undefined;
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

  async #members(question: Question & { readonly about: 'members' }): Promise<Answer> {
    const { replies, silent } = await this.#ask(question, readMembersView);
    const { connections, members } = sumMembersViews(replies.map(({ answer }) => answer));
    const listed = members === undefined ? { capped: true } : { capped: false, users: members.length, members };
    return shown({ channel: question.name, connections, ...listed, silent });
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

  /** A node that does not know the question is silent: it takes no such tokens. */
  async #ask<T>(
    question: Question,
    read: (answer: unknown) => T | undefined,
    withinMs = ANSWER_WITHIN_MS,
  ): Promise<{ readonly replies: readonly NodeReply<T>[]; readonly silent: readonly string[] }> {
    // Nodes keep the time themselves, and answer with what there is. After twice that time they are gone.
    const asked = this.#cluster.ask(question, withinMs);
    const { answers, silent } = await within(this.#clock, 2 * withinMs, asked);
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
