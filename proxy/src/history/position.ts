/** Where some channels stood when a request was sent to its origin, as a token: an event stream that is opened with it goes on from there. */
import type { Position } from '@holdfast/control-api';
import type { ReplayDeps } from './replay.js';
import { type ChannelTag, MAX_TOKEN_CHANNELS } from './tokens.js';

/** A channel by its full name, and the id of the last item that the origin's answer has, where it names one. */
export interface PositionWish {
  readonly channel: string;
  readonly prevId: string | undefined;
}

/**
 * The token of these channels; undefined where one of them has no position, or they are more than a token takes. Where an id is named,
 * its item is the last; elsewhere the last that was accepted before `askedAt`, by `performance.now`: the origin's answer may not
 * have what came later.
 */
export async function positionToken(
  wishes: readonly PositionWish[],
  askedAt: number,
  { reader, tokens }: Pick<ReplayDeps, 'reader' | 'tokens'>,
): Promise<string | undefined> {
  if (wishes.length > MAX_TOKEN_CHANNELS) return undefined;
  const found = await Promise.all(
    wishes.map(({ channel, prevId }) =>
      prevId === undefined
        ? reader.head(channel, undefined, Math.max(0, performance.now() - askedAt))
        : reader.after(channel, prevId),
    ),
  );
  const positions = new Map<ChannelTag, Position>();
  for (const [i, { channel }] of wishes.entries()) {
    const position = found[i];
    if (position === undefined) return undefined;
    positions.set(tokens.tag(channel), position);
  }
  return tokens.write(positions);
}
