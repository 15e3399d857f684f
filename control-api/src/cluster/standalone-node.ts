/**
 * The only node of its system.
 *
 * Owns: knowing and asking itself as others would. Does not own: what it says of itself and answers (its member).
 */
import type { Clock } from '../runtime/clock.js';
import type { KnownNode, NodeAnswer, NodeMember, Nodes, Question } from './cluster.js';

/** In-process {@link Nodes}. Before `join` and after `leave` there is no node: nobody is listed, and nobody asked. */
export class StandaloneNode implements Nodes {
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
    let timer: unknown;
    const late = new Promise<never>((_, reject) => {
      timer = this.#clock.after(withinMs, () => reject(new Error('no answer in time')));
    });
    try {
      const answer = await Promise.race([member.answer(question), late]);
      return { answers: [{ node, answer }], silent: [] };
    } catch {
      return { answers: [], silent: [node] };
    } finally {
      this.#clock.clear(timer);
    }
  }

  leave(): Promise<void> {
    this.#member = undefined;
    return Promise.resolve();
  }
}
