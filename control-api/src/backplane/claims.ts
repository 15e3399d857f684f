/** Who may give an item with `deliver: one` to a subscriber: the first to ask in a process, and the parts of a process in turn. */
import type { ItemClaim, ItemMessage } from './backplane.js';

/** The claim of an item on a node that is alone, for all that the item is handed to: whoever takes it first has it. */
export class FirstClaim implements ItemClaim {
  #isTaken = false;

  take(): Promise<boolean> | undefined {
    if (this.#isTaken) return Promise.resolve(false);
    this.#isTaken = true;
    return undefined;
  }

  pass(): void {}
}

/** A part of a process that items are handed to. */
export interface Claimant {
  /** Whether it takes claims; others are shown the item, and not asked. */
  readonly claims: boolean;
  deliver(message: ItemMessage): void;
}

/** The parts with interest in an item. */
export interface Claimants<Part extends Claimant> {
  /** In turn: the first is asked first. */
  readonly all: readonly Part[];
  /** Whether it still has interest. */
  has(part: Part): boolean;
  /** It is asked about an item: its next turn comes after those of all others. */
  asked(part: Part): void;
  /** It would have given the item, and may not: it is its turn again. */
  denied(part: Part): void;
}

/**
 * Hands an item with a claim to the parts of a process, one after the other, until one of them takes it: nobody but the one whose turn
 * it is has to look for a subscriber. When none takes it, it is passed on.
 */
export function offerInTurn<Part extends Claimant>(
  message: ItemMessage,
  claim: ItemClaim,
  claimants: Claimants<Part>,
): void {
  const { claim: _, ...shown } = message;
  for (const part of claimants.all) if (!part.claims && claimants.has(part)) part.deliver(shown);
  new Offer(shown, claim, claimants).next();
}

/** One item on its way through the parts of a process. */
class Offer<Part extends Claimant> {
  readonly #message: ItemMessage;
  readonly #claim: ItemClaim;
  readonly #claimants: Claimants<Part>;
  #next = 0;

  constructor(message: ItemMessage, claim: ItemClaim, claimants: Claimants<Part>) {
    this.#message = message;
    this.#claim = claim;
    this.#claimants = claimants;
  }

  /** Asks the next one. */
  next(): void {
    const { all } = this.#claimants;
    while (this.#next < all.length) {
      const part = all[this.#next++] as Part;
      if (!part.claims || !this.#claimants.has(part)) continue;
      // Now, and not when it has got the item: many may be under way at a time.
      this.#claimants.asked(part);
      part.deliver({ ...this.#message, claim: this.#claimFor(part) });
      return;
    }
    this.#claim.pass();
  }

  /** Answered once; what it says afterwards has no effect. */
  #claimFor(part: Part): ItemClaim {
    let isAnswered = false;
    const answers = () => {
      const isFirst = !isAnswered;
      isAnswered = true;
      return isFirst;
    };
    return {
      take: () => (answers() ? this.#take(part) : Promise.resolve(false)),
      pass: () => {
        if (answers()) this.next();
      },
    };
  }

  #take(part: Part): Promise<boolean> | undefined {
    return this.#claim.take()?.then((isGranted) => {
      if (!isGranted) this.#claimants.denied(part);
      return isGranted;
    });
  }
}
