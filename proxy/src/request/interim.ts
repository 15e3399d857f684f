/** Owns: what of an origin's interim answer is for clients. Does not own: sending it. */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';

/**
 * The head without fields by which an origin speaks to its GRIP proxy: channels and links are no client's business, and in an
 * interim answer they instruct nobody. The same object where there are none.
 */
export function withoutGrip(head: ResponseHead): ResponseHead {
  const { headers } = head;
  return hasGrip(headers) ? { ...head, headers: kept(headers) } : head;
}

function hasGrip(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) if (isGrip(headers[i] as string)) return true;
  return false;
}

function kept(headers: RawHeaders): string[] {
  const others: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!isGrip(headers[i] as string)) others.push(headers[i] as string, headers[i + 1] as string);
  }
  return others;
}

function isGrip(name: string): boolean {
  return name.length > 4 && name.slice(0, 5).toLowerCase() === 'grip-';
}
