/** The node as the others of its system see it. */
import { hostname } from 'node:os';
import {
  type Callbacks,
  mergeAnswers,
  type NodeMember,
  type NodeState,
  type Question,
  type Revocations,
  readRevocations,
} from '@holdfast/control-api';
import { version } from '../package-files.js';
import type { Clock } from '../runtime/clock.js';
import type { Serving } from './serving.js';

/** Made once for each start. */
export class LocalNode implements NodeMember {
  readonly #id: string;
  readonly #startedAt: number;
  readonly #serving: () => Serving;
  readonly #revocations: Revocations;
  readonly #callbacks: Callbacks | undefined;

  constructor(
    id: string,
    clock: Clock,
    serving: () => Serving,
    revocations: Revocations,
    callbacks: Callbacks | undefined,
  ) {
    this.#callbacks = callbacks;
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
    const answers = await this.#serving().answers(question);
    const callbacks = question.about === 'channel' ? this.#callbacks?.countOn(question.name) : undefined;
    if (callbacks === undefined) return mergeAnswers(question, answers);
    return mergeAnswers(question, [...answers, { subscribers: { callback: callbacks } }]);
  }
}
