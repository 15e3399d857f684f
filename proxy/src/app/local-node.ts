/** The node as the others of its system see it. */
import { hostname } from 'node:os';
import {
  mergeAnswers,
  type NodeMember,
  type NodeState,
  type Question,
  type Revocations,
  readRevocations,
} from '@holdfast/control-api';
import type { Clock } from '../runtime/clock.js';
import { version } from '../version.js';
import type { Serving } from './serving.js';

/** Made once for each start. */
export class LocalNode implements NodeMember {
  readonly #id: string;
  readonly #startedAt: number;
  readonly #serving: () => Serving;
  readonly #revocations: Revocations;

  constructor(id: string, clock: Clock, serving: () => Serving, revocations: Revocations) {
    this.#id = id;
    this.#revocations = revocations;
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
    // For workers that start later.
    if (question.about === 'revoke')
      for (const revocation of readRevocations(question.revocations)) this.#revocations.add(revocation);
    return mergeAnswers(question, await this.#serving().answers(question));
  }
}
