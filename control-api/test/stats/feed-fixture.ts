/** A statistics feed on a clock that tests move, with what it sent as values. */
import { decodePacket } from '@holdfast/grip';
import { StatsFeed, type StatsFeedOptions, type StatsSink } from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';

/** A packet: its type first, then its members as text and numbers, without `from`, in the order of the wire. */
export type Packet = readonly [type: string, fields: Readonly<Record<string, unknown>>];

/** Reads a packet off the wire. */
export function readPacket(bytes: Buffer): Packet {
  const space = bytes.indexOf(' ');
  const fields = decodePacket(bytes.subarray(space + 1)) as Record<string, unknown>;
  const text = Object.entries(fields).map(([key, value]) => [key, Buffer.isBuffer(value) ? String(value) : value]);
  return [bytes.toString('latin1', 0, space), Object.fromEntries(text)];
}

/** Starts a feed with Pushpin's default times; everything is wanted unless `types` says what. */
export function startFeed(overrides: Partial<StatsFeedOptions> & { readonly types?: readonly string[] } = {}) {
  const clock = new ManualClock();
  const raw: Buffer[] = [];
  const sink: StatsSink = {
    wants: (type) => overrides.types?.includes(type) ?? true,
    send: (packet) => void raw.push(packet),
  };
  const feed = new StatsFeed({
    sink,
    clock,
    from: 'test_1',
    statsFormat: 'tnetstring',
    statsConnectionSend: true,
    statsConnectionTtl: 120_000,
    statsConnectionsMaxTtl: 60_000,
    statsSubscriptionTtl: 60_000,
    statsReportInterval: 10_000,
    ...overrides,
  });
  /** What was sent since the last call, of one type or of all; `from` is checked and left out. */
  const sent = (type?: string): Packet[] => {
    const packets = raw.splice(0).map(readPacket);
    const chosen = packets.filter(([of]) => type === undefined || of === type);
    return chosen.map(([of, { from, ...fields }]) => {
      if (from !== 'test_1') throw new Error(`from ${String(from)}`);
      return [of, fields];
    });
  };
  return { feed, clock, raw, sent };
}
