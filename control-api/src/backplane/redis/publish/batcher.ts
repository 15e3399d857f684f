/**
 * Takes messages to publish.
 *
 * Owns: the bounds of what waits, and which lane a message takes. Does not own: the lanes' work (flight-lane.ts).
 */

import { ControlError } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { Acceptance } from '../../backplane.js';
import { PartlyAccepted, refusalWith } from '../../refusal.js';
import type { RedisCommands } from '../connection/commands.js';
import type { RedisEvents } from '../events.js';
import type { RedisKeys } from '../keys.js';
import { PAYLOAD_CHARS, PUBLISH_QUEUE_CHARS, PUBLISH_QUEUE_MESSAGES } from '../limits.js';
import { partitionOf } from '../partitions.js';
import { type PublishSettings, publishPart } from './batch-part.js';
import { FlightLane, type FlightPart, type Parcel } from './batch-queue.js';

/** What a {@link PublishDesk} is made of. */
export interface PublishDeskOptions {
  readonly commands: RedisCommands;
  readonly keys: RedisKeys;
  readonly settings: PublishSettings;
  readonly clock: Clock;
  readonly events: RedisEvents;
  readonly log: Log;
}

/**
 * One lane for everything, or in a cluster one per partition: a master that is away must not hold up what belongs to the
 * others, and order is promised per channel only.
 */
export class PublishDesk {
  readonly #options: PublishDeskOptions;
  readonly #lanes = new Map<number, FlightLane>();
  #flights = 0;
  #messages = 0;
  #chars = 0;

  constructor(options: PublishDeskOptions) {
    this.#options = options;
  }

  /** Resolves with an acceptance per parcel, in order; rejects as `Backplane.publish` does. */
  async publish(parcels: readonly Parcel[]): Promise<readonly Acceptance[]> {
    if (parcels.length === 0) return [];
    const chars = parcels.reduce((sum, { payload }) => sum + payload.length, 0);
    if (parcels.some(({ payload }) => payload.length > PAYLOAD_CHARS)) {
      throw new ControlError('ERR_BACKPLANE_UNAVAILABLE', `A message has more than ${PAYLOAD_CHARS} characters.`);
    }
    if (
      this.#messages > 0 &&
      (this.#messages + parcels.length > PUBLISH_QUEUE_MESSAGES || this.#chars + chars > PUBLISH_QUEUE_CHARS)
    ) {
      throw new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'Too many messages wait for Redis.');
    }
    this.#messages += parcels.length;
    this.#chars += chars;
    try {
      return await this.#dispatch(parcels);
    } finally {
      this.#messages -= parcels.length;
      this.#chars -= chars;
    }
  }

  /** Rejects what waits. */
  close(error: ControlError): void {
    for (const lane of this.#lanes.values()) lane.close(error);
  }

  async #dispatch(parcels: readonly Parcel[]): Promise<readonly Acceptance[]> {
    if (!this.#options.settings.sharded) return this.#lane(0).publish(parcels);
    const groups = new Map<number, Parcel[]>();
    for (const parcel of parcels) {
      const partition = parcel.message.type === 'item' ? partitionOf(parcel.message.item.channel) : 0;
      const group = groups.get(partition);
      if (group) group.push(parcel);
      else groups.set(partition, [parcel]);
    }
    const acceptances = new Map<Parcel, Acceptance | undefined>();
    let refusal: ControlError | undefined;
    await Promise.all(
      [...groups].map(async ([partition, group]) => {
        const accepted = await this.#lane(partition)
          .publish(group)
          .catch((error: ControlError) => {
            refusal ??= error;
            return error instanceof PartlyAccepted ? error.acceptances : [];
          });
        for (const [i, parcel] of group.entries()) acceptances.set(parcel, accepted[i]);
      }),
    );
    const all = parcels.map((parcel) => acceptances.get(parcel));
    if (refusal !== undefined) throw refusalWith(refusal, all);
    return all as Acceptance[];
  }

  #lane(partition: number): FlightLane {
    const known = this.#lanes.get(partition);
    if (known) return known;
    const { commands, clock, events, log } = this.#options;
    const lane = new FlightLane({
      send: (part) => this.#send(part),
      awaySince: () => commands.awaySince,
      whenReady: (run) => commands.whenReady(run),
      restart: () => commands.restart(),
      nextFlight: () => {
        this.#flights += 1;
        return this.#flights;
      },
      clock,
      events,
      log,
    });
    this.#lanes.set(partition, lane);
    return lane;
  }

  #send(part: FlightPart): Promise<Acceptance[]> {
    const { commands, keys, settings } = this.#options;
    const of = part.channel === undefined ? keys.recover() : keys.channel(part.channel);
    return publishPart(commands, of, part, settings);
  }
}
