/** Owns: joining the headers of a held response with those of the item that answers it. Does not own: what is sent. */
import type { RawHeaders } from '@holdfast/grip';
import { ofAnotherBody } from '../http/body-fields.js';

/**
 * The held headers with same-named published ones in their place at the end. What the held ones say of the origin's own body is
 * left out: the item's body is another one, and what describes it the item says itself. Published GRIP headers are
 * instructions, not data: they are left out too, and `Grip-Expose-Headers` limits what is sent to the fields that it names.
 */
export function mergeHeaders(held: RawHeaders, published: RawHeaders): RawHeaders {
  const inherited = ofAnotherBody(held);
  if (published.length === 0) return inherited;
  const names = new Set<string>();
  const own: string[] = [];
  let exposed: Set<string> | undefined;
  for (let i = 0; i < published.length; i += 2) {
    const name = published[i] as string;
    const value = published[i + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'grip-expose-headers') {
      exposed ??= new Set();
      for (const part of value.split(',')) exposed.add(part.trim().toLowerCase());
    } else if (!lower.startsWith('grip-')) {
      names.add(lower);
      own.push(name, value);
    }
  }
  const merged: string[] = [];
  for (let i = 0; i < inherited.length; i += 2) {
    const name = inherited[i] as string;
    if (!names.has(name.toLowerCase())) merged.push(name, inherited[i + 1] as string);
  }
  merged.push(...own);
  return exposed === undefined ? merged : only(merged, exposed);
}

function only(headers: RawHeaders, names: ReadonlySet<string>): RawHeaders {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (names.has((headers[i] as string).toLowerCase())) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
