/**
 * One part of a flight as a call of the publish script.
 *
 * Owns: keys, arguments and reply of that call. Does not own: the script (scripts/publish.ts), repeating it (flight-lane.ts).
 */
import type { Acceptance } from '../../backplane.js';
import type { RedisCommands } from '../connection/commands.js';
import type { ChannelKeys } from '../keys.js';
import { FLIGHT_TTL_MS, META_TTL_MS } from '../limits.js';
import { publishScript } from '../scripts/publish.js';
import type { FlightPart } from './batch-queue.js';

/** What is the same for all parts that a node sends. */
export interface PublishSettings {
  /** Unique among all nodes that ever ran. */
  readonly node: string;
  /** Items kept per channel; 0 keeps none. */
  readonly historySize: number;
  readonly historyTtl: number;
  /** How long ids are remembered; 0 remembers none. */
  readonly idCacheTtl: number;
  /** Use the sharded pub/sub of a cluster. */
  readonly sharded: boolean;
}

/** Sends a part; resolves with an acceptance per parcel. Rejects with the error of Redis or of the connection. */
export async function publishPart(
  commands: RedisCommands,
  keys: ChannelKeys,
  { flight, parcels }: FlightPart,
  settings: PublishSettings,
): Promise<Acceptance[]> {
  const remembered: string[] = [];
  const items: string[] = [];
  for (const { message, payload, id } of parcels) {
    const given = message.type === 'item' ? message.item.id : undefined;
    const remember = given !== undefined && settings.idCacheTtl > 0;
    if (remember) remembered.push(keys.id(given));
    // The first three keys are those of the channel.
    items.push(payload, id, given === undefined ? '0' : '1', remember ? String(remembered.length + 3) : '0');
  }
  const reply = await commands.run(
    publishScript,
    [keys.meta, keys.stream, keys.flight(settings.node), ...remembered],
    [
      flight,
      FLIGHT_TTL_MS,
      // No two are the same, for flights have numbers; hardly ever used, so that it may cost nothing to make.
      settings.node + flight.toString(36),
      settings.historySize,
      settings.historyTtl,
      Math.max(META_TTL_MS, 2 * settings.historyTtl),
      settings.idCacheTtl,
      settings.sharded ? 'SPUBLISH' : 'PUBLISH',
      keys.topic,
      ...items,
    ],
  );
  const fields = reply as readonly string[];
  return parcels.map(({ message }, i) => {
    if (message.type === 'recover') return { duplicate: false };
    const [epoch = '', offset, receivers] = fields.slice(3 * i, 3 * i + 3);
    const position = { epoch, offset: Number(offset) };
    if (receivers === '-1') return { duplicate: true, position };
    return { duplicate: false, nodes: Number(receivers), position };
  });
}
