/** Callbacks and items for them, and a listener that notes what a store says. */
import { parseItem } from '@holdfast/grip';
import type { Callback, CallbackListener, CallbackRecord, ItemMessage } from '../../dist/index.js';

/** A key of Standard Webhooks. */
export const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

/** A callback on these channels. */
export function callback(id: string, channels: readonly string[], more: Partial<Callback> = {}): Callback {
  return {
    id,
    url: 'http://127.0.0.1:1/hook',
    secret: SECRET,
    prefix: '',
    channels: channels.map((name) => ({ name, filters: [] })),
    meta: {},
    expires: Date.now() + 3_600_000,
    ...more,
  };
}

/** An item that callbacks of a channel get. */
export function requestMessage(channel: string, body: string): ItemMessage {
  return { type: 'item', item: parseItem({ channel, id: body, formats: { 'http-request': { body } } }), id: body };
}

/** Keeps what it is called with. */
export class RecordingKeeper implements CallbackListener {
  readonly kept = new Map<string, CallbackRecord>();
  readonly left: string[] = [];
  /** How often items were announced, by id. */
  readonly items = new Map<string, number>();
  /** What has to be over before a callback may be another node's. */
  underWay: Promise<void> = Promise.resolve();

  onKept(record: CallbackRecord): void {
    this.kept.set(record.callback.id, record);
  }

  onLeft(id: string): Promise<void> {
    this.kept.delete(id);
    this.left.push(id);
    return this.underWay;
  }

  onItems(id: string): void {
    this.items.set(id, (this.items.get(id) ?? 0) + 1);
  }
}
