/**
 * What this process answers about its channels and connections, and ending one of them. Other processes and nodes are asked
 * elsewhere.
 */
import type { ChannelView, Question } from '@holdfast/control-api';
import { zeroCounts } from '@holdfast/grip';
import type { ChannelRegistry } from '../channels/registry.js';
import type { ChannelPositions } from '../delivery/item-delivery.js';

/** Answers questions from what the registry knows: every hold and session of this process, from its opening to its end. */
export class Inspection {
  readonly #registry: ChannelRegistry;
  readonly #positions: Pick<ChannelPositions, 'latest'>;

  constructor(registry: ChannelRegistry, positions: Pick<ChannelPositions, 'latest'>) {
    this.#registry = registry;
    this.#positions = positions;
  }

  /**
   * The answer of this process alone, as JSON has it. Connections are found by the id of their request and by their
   * Connection-Id. A request that is being asked of its origin again is no hold meanwhile, and not found.
   * @throws Error for a question that this version does not know
   */
  answer(question: Question): unknown {
    switch (question.about) {
      case 'channel':
        return this.#channel(question.name);
      case 'connection':
        return this.#registry.find(question.id)?.view() ?? null;
      case 'disconnect': {
        const subscriber = this.#registry.find(question.id);
        subscriber?.disconnect();
        return subscriber !== undefined;
      }
      default:
        throw new Error(`a question that is not known: ${JSON.stringify(question satisfies never)}`);
    }
  }

  #channel(name: string): ChannelView {
    const subscribers = zeroCounts();
    for (const { kind } of this.#registry.of(name)) subscribers[kind]++;
    const position = this.#positions.latest(name);
    return { subscribers, ...(position !== undefined && { position }) };
  }
}
