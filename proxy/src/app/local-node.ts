/**
 * Owns: what this node says of itself to the nodes of its system, and how it answers their questions. Does not own: how
 * the nodes reach each other, or what the processes that serve clients know.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { mergeAnswers, type NodeMember, type NodeState, type Question } from '@holdfast/control-api';
import type { Clock } from '../runtime/clock.js';
import { version } from '../version.js';

/** Those who serve the node's clients: how many, and what each of them answers. */
export interface Answering {
  readonly workers: number;
  readonly load: Pick<NodeState, 'connections' | 'channels'>;
  answers(question: Question): Promise<readonly unknown[]>;
}

/** The node as the others see it, made once for each start. */
export class Member implements NodeMember {
  readonly #id = randomUUID();
  readonly #startedAt: number;
  readonly #serving: () => Answering;

  constructor(clock: Clock, serving: () => Answering) {
    this.#startedAt = clock.wall();
    this.#serving = serving;
  }

  state(): NodeState {
    const { workers, load } = this.#serving();
    return {
      id: this.#id,
      host: hostname(),
      pid: process.pid,
      version,
      startedAt: this.#startedAt,
      workers,
      ...load,
    };
  }

  async answer(question: Question): Promise<unknown> {
    return mergeAnswers(question, await this.#serving().answers(question));
  }
}
