/** Up to which position all items of a channel have been delivered on this node, whatever order they went in. */
import type { Position } from '@holdfast/control-api';

interface Progress {
  last: Position;
  /** Arrived, but not given out: they wait for the one before them. In order. */
  readonly waiting: Position[];
}

/** Channels with subscribers whose items have positions. */
export class ChannelPositions {
  readonly #channels = new Map<string, Progress>();

  /** An item has reached this node: in the order of positions, as backplanes bring them. */
  arrived(channel: string, position: Position): void {
    const progress = this.#channels.get(channel);
    if (progress === undefined) {
      this.#channels.set(channel, { last: position, waiting: [position] });
      return;
    }
    progress.last = position;
    progress.waiting.push(position);
  }

  /** An item that had arrived is given out now; says up to where all are. */
  passed(channel: string, position: Position): Position {
    const waiting = this.#channels.get(channel)?.waiting;
    if (waiting?.[0] === position) waiting.shift();
    else if (waiting !== undefined) {
      const at = waiting.indexOf(position);
      if (at !== -1) waiting.splice(at, 1);
    }
    return this.latest(channel) ?? position;
  }

  /** Up to where all items have been given out; undefined when none has come since the first subscription. */
  latest(channel: string): Position | undefined {
    const progress = this.#channels.get(channel);
    const first = progress?.waiting[0];
    return first === undefined ? progress?.last : { epoch: first.epoch, offset: first.offset - 1 };
  }

  /** The last subscriber has gone. */
  forget(channel: string): void {
    this.#channels.delete(channel);
  }
}
