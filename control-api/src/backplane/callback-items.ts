/** Which items wait for callbacks. */
import type { Item } from '@holdfast/grip';

/** Whether an item has a form for servers, and is for all subscribers: one for a single client goes to nobody else. */
export function isForCallback({ formats, deliver }: Item): boolean {
  return formats.httpRequest !== undefined && deliver === undefined;
}
