/** Items for tests, made the way publishers' items are. */
import { type Item, parseItem } from '@holdfast/grip';
import { IdCache, type ItemMessage, type Message } from '../dist/index.js';
import { ManualClock } from './manual-clock.js';

/** An item that http-stream holds of `channel` would get. */
export function streamItem(channel: string, content: string, id?: string): Item {
  return parseItem({ channel, ...(id !== undefined && { id }), formats: { 'http-stream': { content } } });
}

/** The same as a message, with the id a publisher or `Publisher` gave. */
export function streamMessage(channel: string, content: string, id = content): ItemMessage {
  return { type: 'item', item: streamItem(channel, content, id), id };
}

/** `channel/id` of items, `recover` of recovers. */
export function label(message: Message): string {
  return message.type === 'item' ? `${message.item.channel}/${message.id}` : 'recover';
}

/** What a node that is alone knows of ids: every one, for good. */
export function rememberedIds(): IdCache {
  return new IdCache({ clock: new ManualClock(), idCacheTtl: 60_000, events: { idsForgotten() {} } });
}
