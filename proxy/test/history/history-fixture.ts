/** A history that a test answers for, read by read. */
import type { History, HistoryPage, HistoryStart, Position } from '@holdfast/control-api';
import { parseItem } from '@holdfast/grip';
import { Delivery } from '../../dist/channels/delivery.js';

/** One read that waits for its answer. */
export interface AskedRead {
  readonly channel: string;
  readonly start: HistoryStart;
  readonly limit: number;
  answer(page: HistoryPage | undefined): void;
  fail(error: Error): void;
}

/** A history whose reads wait for the test. */
export class ScriptedHistory implements History {
  readonly reads: AskedRead[] = [];
  position: Position | undefined;

  read(channel: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined> {
    return new Promise((resolve, reject) => {
      this.reads.push({ channel, start, limit, answer: resolve, fail: reject });
    });
  }

  head(): Promise<Position | undefined> {
    return Promise.resolve(this.position);
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }
}

/** Position in the one epoch. */
export const at = (offset: number): Position => ({ epoch: 'e', offset });

/** A page of items with these offsets, as ids too. */
export function page(offsets: readonly number[], complete = true): HistoryPage {
  const messages = offsets.map((offset) => {
    const { item } = delivery(offset);
    return { type: 'item', item, id: `${offset}`, position: at(offset) } as const;
  });
  return { messages, end: at(offsets.at(-1) ?? 0), complete };
}

/** An item that stands here, and names the one before. */
export function delivery(offset: number, ids: object = { id: `${offset}`, 'prev-id': `${offset - 1}` }): Delivery {
  const item = parseItem({ channel: 'a', formats: { 'http-stream': { content: `${offset},` } }, ...ids });
  return new Delivery(item, 0, at(offset));
}

/** Lets everything happen that waits for no timer and no test. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
