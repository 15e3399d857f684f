/** The nodes of a system that share a Redis: heartbeats, the list, questions and answers. */
import { readJson } from '@holdfast/grip';
import { type Script, script } from '../backplane/redis/connection/commands.js';
import type { RedisConnections } from '../backplane/redis/connection/connections.js';
import type { NodeKeys } from '../backplane/redis/keys.js';
import { unavailable } from '../errors.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Cluster, KnownNode, NodeAnswer, NodeMember, NodeState, Question, Replies } from './cluster.js';

/**
 * @limit {s} between heartbeats of a node
 * @over –
 */
export const HEARTBEAT_MS = 3_000;

/**
 * Milliseconds without a heartbeat after which a node is forgotten: three heartbeats may fail.
 *
 * @limit {s} without a heartbeat
 * @over the other nodes forget the node
 */
export const NODE_TTL_MS = 10_000;

/**
 * @limit {} questions of one node that wait for answers
 * @over refused, 503
 */
export const OPEN_QUESTIONS = 1_000;

/**
 * Keys: states, seen. Arguments: id, state as JSON, ms without a heartbeat after which a node is forgotten. Forgets the
 * others that had none, so that nothing is left of nodes that were killed.
 */
const heartbeatScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
`);

/** Keys: states, seen. Argument: id. */
const leaveScript = script(`
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`);

/** Keys: states, seen. Argument: ms as above. Reply, per node: state as JSON, ms since its last heartbeat. */
const listScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local reply = {}
local seen = redis.call('ZRANGEBYSCORE', KEYS[2], now - ARGV[1], '+inf', 'WITHSCORES')
for i = 1, #seen, 2 do
  local state = redis.call('HGET', KEYS[1], seen[i])
  if state then
    reply[#reply + 1] = state
    reply[#reply + 1] = tostring(now - tonumber(seen[i + 1]))
  end
end
return reply
`);

/** Key: a name of pub/sub. Arguments: PUBLISH or SPUBLISH, text. A script, as that finds its way in a cluster. */
const publishScript = script('return redis.call(ARGV[1], KEYS[1], ARGV[2])');

/** What {@link RedisNodes} are made of. */
export interface RedisNodesOptions {
  /** Of a backplane that was started, and is closed after {@link RedisNodes.leave}. */
  readonly connections: RedisConnections;
  readonly clock: Clock;
  readonly log: Log;
}

interface Open {
  readonly missing: Set<string>;
  readonly answers: NodeAnswer[];
  readonly done: () => void;
}

/** A question on its way. */
interface Asked {
  readonly number: number;
  readonly from: string;
  readonly question: Question;
}

/** An answer on its way. */
interface Answered extends NodeAnswer {
  readonly number: number;
}

/**
 * {@link Cluster} over Redis. While Redis is away no other node can be listed or asked; nodes that come back with it are known
 * again after a heartbeat.
 */
export class RedisNodes implements Cluster {
  readonly #connections: RedisConnections;
  readonly #keys: NodeKeys;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #open = new Map<number, Open>();
  #member: NodeMember | undefined;
  #id = '';
  #number = 0;
  #timer: unknown;

  constructor({ connections, clock, log }: RedisNodesOptions) {
    this.#connections = connections;
    this.#keys = connections.keys.nodes();
    this.#clock = clock;
    this.#log = log;
  }

  async join(member: NodeMember): Promise<void> {
    this.#member = member;
    this.#id = member.state().id;
    const { partition, questions, answers } = this.#keys;
    await this.#connections.listen(questions, partition, (text) => this.#onQuestion(text));
    await this.#connections.listen(answers(this.#id), partition, (text) => this.#onAnswer(text));
    await this.#heartbeat();
    this.#schedule();
  }

  self(): KnownNode | undefined {
    return this.#member && { ...this.#member.state(), age: 0 };
  }

  async list(): Promise<readonly KnownNode[]> {
    const reply = (await this.#run(listScript, [NODE_TTL_MS])) as readonly string[];
    const own = this.self();
    const nodes: KnownNode[] = own === undefined ? [] : [own];
    for (let i = 0; i < reply.length; i += 2) {
      const state = parse<NodeState>(reply[i] ?? '');
      if (state && state.id !== own?.id) nodes.push({ ...state, age: Number(reply[i + 1]) });
    }
    return nodes;
  }

  async ask(question: Question, withinMs: number): Promise<Replies> {
    if (this.#open.size >= OPEN_QUESTIONS) throw unavailable('Too many questions wait for answers.');
    this.#number += 1;
    const number = this.#number;
    const missing = new Set((await this.list()).map(({ id }) => id));
    const answers: NodeAnswer[] = [];
    let timer: unknown;
    const answered = new Promise<void>((resolve) => {
      timer = this.#clock.after(withinMs, resolve);
      this.#open.set(number, { missing, answers, done: resolve });
    });
    try {
      const asked: Asked = { number, from: this.#id, question };
      await this.#publish(this.#keys.questions, JSON.stringify(asked));
      await answered;
    } finally {
      this.#clock.clear(timer);
      this.#open.delete(number);
    }
    return { answers, silent: [...missing] };
  }

  async leave(): Promise<void> {
    if (!this.#member) return;
    this.#member = undefined;
    this.#clock.clear(this.#timer);
    for (const { done } of this.#open.values()) done();
    this.#connections.unlisten(this.#keys.questions);
    this.#connections.unlisten(this.#keys.answers(this.#id));
    // If that fails, the node is forgotten when its heartbeats stop.
    await this.#run(leaveScript, [this.#id]).catch(() => {});
  }

  #schedule(): void {
    if (!this.#member) return;
    this.#timer = this.#clock.after(HEARTBEAT_MS, () => {
      this.#heartbeat().catch((error: unknown) => this.#log.debug({ err: error }, 'a heartbeat failed'));
      this.#schedule();
    });
  }

  async #heartbeat(): Promise<void> {
    const state = this.#member?.state();
    if (state) await this.#run(heartbeatScript, [this.#id, JSON.stringify(state), NODE_TTL_MS]);
  }

  #onQuestion(text: string): void {
    const asked = parse<Asked>(text);
    const member = this.#member;
    if (!member || typeof asked?.question !== 'object' || typeof asked.from !== 'string') return;
    member
      .answer(asked.question)
      .then((answer) => {
        const answered: Answered = { number: asked.number, node: this.#id, answer };
        return this.#publish(this.#keys.answers(asked.from), JSON.stringify(answered));
      })
      .catch((error: unknown) => this.#log.debug({ err: error }, 'a question was not answered'));
  }

  #onAnswer(text: string): void {
    const answered = parse<Answered>(text);
    const open = answered && this.#open.get(answered.number);
    if (!answered || !open || typeof answered.node !== 'string') return;
    open.answers.push({ node: answered.node, answer: answered.answer });
    open.missing.delete(answered.node);
    if (open.missing.size === 0) open.done();
  }

  async #publish(topic: string, text: string): Promise<void> {
    const command = this.#connections.subscribers.sharded ? 'SPUBLISH' : 'PUBLISH';
    await this.#connections.commands.run(publishScript, [topic], [command, text]).catch(this.#refuse);
  }

  #run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    return this.#connections.commands.run(script, [this.#keys.states, this.#keys.seen], args).catch(this.#refuse);
  }

  readonly #refuse = (error: unknown): never => {
    const why = this.#connections.unavailableReason ?? (error instanceof Error ? error.message : String(error));
    throw unavailable(`The other nodes cannot be reached: ${why}`, error);
  };
}

/** Nodes may run different versions: the reader of a field checks it. */
function parse<T>(text: string): T | undefined {
  const { value } = readJson(text);
  return typeof value === 'object' && value !== null ? (value as T) : undefined;
}
