/** A cluster of one node. */
import type { Clock } from '../runtime/clock.js';
import { within } from '../runtime/deadline.js';
import type { Cluster, KnownNode, NodeAnswer, NodeMember, Question } from './cluster.js';

/** In-process {@link Cluster}. Before `join` and after `leave` there is no node: none is listed, and none asked. */
export class StandaloneNode implements Cluster {
  readonly #clock: Clock;
  #member: NodeMember | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  join(member: NodeMember): Promise<void> {
    this.#member = member;
    return Promise.resolve();
  }

  self(): KnownNode | undefined {
    return this.#member && { ...this.#member.state(), age: 0 };
  }

  async list(): Promise<readonly KnownNode[]> {
    return [this.self() ?? []].flat();
  }

  /** A member that does not answer in time, rejects or throws is silent, as another node would be. */
  async ask(
    question: Question,
    withinMs: number,
  ): Promise<{ readonly answers: readonly NodeAnswer[]; readonly silent: readonly string[] }> {
    const member = this.#member;
    if (member === undefined) return { answers: [], silent: [] };
    const node = member.state().id;
    try {
      const answer = await within(this.#clock, withinMs, member.answer(question));
      return { answers: [{ node, answer }], silent: [] };
    } catch {
      return { answers: [], silent: [node] };
    }
  }

  leave(): Promise<void> {
    this.#member = undefined;
    return Promise.resolve();
  }
}
