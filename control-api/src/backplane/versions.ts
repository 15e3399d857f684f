/** The versions of the states that channels have had, in one process. */
import type { Item } from '@holdfast/grip';

/**
 * Channels whose version is remembered, on a node without Redis. With it each channel has its own, as long as its position.
 *
 * @limit {} channels whose version a node without Redis remembers
 * @over that of the channel with the oldest versioned item is forgotten
 */
export const MAX_VERSIONS = 100_000;

interface Version {
  readonly epoch: string;
  readonly version: number;
}

/** The newest version of each channel. */
export class ChannelVersions {
  /** In the order of their last item, the oldest first. */
  readonly #versions = new Map<string, Version>();
  readonly #max: number;

  constructor(max = MAX_VERSIONS) {
    this.#max = max;
  }

  /** Whether an item is out of date; if it is not, its version is the channel's from now on. An item without one never is. */
  isStale({ channel, version, versionEpoch: epoch = '' }: Item): boolean {
    if (version === undefined) return false;
    const known = this.#versions.get(channel);
    if (known !== undefined && known.epoch === epoch && version <= known.version) return true;
    this.#versions.delete(channel);
    this.#versions.set(channel, { epoch, version });
    if (this.#versions.size > this.#max) {
      for (const oldest of this.#versions.keys()) {
        this.#versions.delete(oldest);
        break;
      }
    }
    return false;
  }

  /** Forgets all. */
  clear(): void {
    this.#versions.clear();
  }
}
