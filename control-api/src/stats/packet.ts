/** One packet of the statistics feed, `<type> T<tnetstring>` or `<type> J<json>`, and the port that it is sent to. */
import { encodePacket, type PacketFormat } from '@holdfast/grip';

/** The sending side of the feed. Calls never throw and never block. */
export interface StatsSink {
  /** Whether packets of this type have a listener at present; others need not be made. */
  wants(type: string): boolean;
  /** Sends a packet to its listeners, without waiting for them and without an acknowledgement. */
  send(packet: Buffer): void;
}

/** Pushpin's packet types. */
export const statsTypes = ['activity', 'message', 'conn', 'sub', 'report', 'counts', 'conn-max'] as const;

/** One of {@link statsTypes}. */
export type StatsType = (typeof statsTypes)[number];

/** The members of a packet; undefined ones are left out, and so is an empty `route`. */
export type StatsFields = Readonly<Record<string, string | number | true | undefined>>;

/** Sends a packet, if its type has a listener. */
export type Emit = (type: StatsType, fields: StatsFields) => void;

/** The bytes of a packet; members are in the order of their names, as in Pushpin's JSON. */
export function encodeStats(type: StatsType, fields: StatsFields, format: PacketFormat): Buffer {
  const present = Object.entries(fields).filter(
    ([key, value]) => value !== undefined && (key !== 'route' || value !== ''),
  );
  const sorted = Object.fromEntries(present.sort(([a], [b]) => (a < b ? -1 : 1)));
  return Buffer.concat([Buffer.from(`${type} `), encodePacket(sorted, format)]);
}

/** An {@link Emit} that adds `from`, the name of this instance, to every packet. */
export function emitterTo(sink: StatsSink, from: string, format: PacketFormat): Emit {
  return (type, fields) => {
    if (sink.wants(type)) sink.send(encodeStats(type, { ...fields, from }, format));
  };
}
