/** The views of the control API: nodes, channels and connections of all nodes at once, from what each of them answers. */
import { type SubscriberKind, subscriberKinds, zeroCounts } from '@holdfast/grip';
import type { Position } from '../backplane/backplane.js';
import { type Cluster, type KnownNode, type Question, SILENT_AFTER_MS } from '../cluster/cluster.js';
import { ControlError } from '../errors.js';
import { type Answer, answerTo, connectionUnknown, shown, tooManyViews } from '../http/answer.js';
import { type Clock, within } from '../runtime/clock.js';

/**
 * Connections that are subscribed to a channel, by kind: `response` are long polls, `ws` are sessions of WebSocket and SockJS.
 */
export type SubscriberCounts = Readonly<Record<SubscriberKind, number>>;

/** A channel as one process, one node or all of them see it. */
export interface ChannelView {
  readonly subscribers: SubscriberCounts;
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
  const given = (subscribers ?? {}) as Record<string, unknown>;
  const counts = zeroCounts();
  // A node of an older version has no count of what it does not know.
  const counted = subscriberKinds.filter((kind) => given[kind] !== undefined);
  if (counted.length === 0) return undefined;
  for (const kind of counted) {
    const count = given[kind];
    if (!isCount(count)) return undefined;
    counts[kind] = count;
  }
  const known = readPosition(position);
  return { subscribers: counts, ...(known !== undefined && { position: known }) };
}

function readPosition(value: unknown): Position | undefined {
  const { epoch, offset } = (value ?? {}) as Record<string, unknown>;
  return typeof epoch === 'string' && isCount(offset) ? { epoch, offset } : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A hold or session as an operator sees it. */
export interface ConnectionView {
  /** Of its request, as in the logs. */
  readonly id: string;
  /** Connection-Id of a session; left out for holds. */
  readonly session?: string;
  readonly kind: SubscriberKind;
  /** Explicit id of its route; left out if it has none. */
  readonly route?: string;
  /** Textual IP address at the other end of the connection; empty on a unix socket. */
  readonly client: string;
  /** When it was held or opened: ISO 8601, UTC. */
  readonly since: string;
  /** Full names. */
  readonly channels: readonly string[];
  /** Items that were sent to it. */
  readonly items: number;
  /** Bytes that it has not taken yet. */
  readonly waiting: number;
}

/**
 * Reads what a node or process answered; undefined when it has no such connection. Only what distinguishes the two
 * is looked at: the rest is shown as it came, with whatever a newer node adds.
 */
export function readConnectionView(answer: unknown): ConnectionView | undefined {
  const { id, kind } = (answer ?? {}) as Record<string, unknown>;
  return typeof id === 'string' && typeof kind === 'string' ? (answer as ConnectionView) : undefined;
}

/**
 * The answer of a node whose processes gave these: subscribers are added up, of connections the first that was found counts.
 * Answers that cannot be read count as none. Called by the process that answers for the others.
 */
export function mergeAnswers(question: Question, answers: readonly unknown[]): unknown {
  switch (question.about) {
    case 'channel':
      return sumChannelViews(answers.map(readChannelView).filter((view) => view !== undefined));
    case 'connection':
      return answers.find((answer) => readConnectionView(answer) !== undefined) ?? null;
    case 'disconnect':
      return answers.includes(true);
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
    // Nodes keep the time themselves, and answer with what there is. After twice that time they are gone.
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
