/** The answer that an item makes of a held response: its body, or a patch of the held one, and the headers of both. */
import { applyBodyPatch, type HttpResponseSend, type RawHeaders } from '@holdfast/grip';
import type { ResponseAnswer } from '../channels/delivery.js';
import { ofAnotherBody, ofChangedBytes } from '../http/fields.js';

const EMPTY = Buffer.alloc(0);

/**
 * Makes the answer; `own` is the item's body where a filter has changed it. A patch that does not apply leaves the body
 * empty. Throws a GripError where a patch would make too much of the held body.
 */
export function responseAnswer(
  format: HttpResponseSend,
  own: Buffer | undefined,
  held: { readonly headers: RawHeaders; readonly body: Buffer },
): ResponseAnswer {
  const payload =
    format.bodyPatch === undefined ? (own ?? format.body) : (applyBodyPatch(held.body, format.bodyPatch) ?? EMPTY);
  // The item's fields are of the body that was published.
  const published = own === undefined ? format.headers : ofChangedBytes(format.headers);
  return { status: format.code, reason: format.reason, headers: mergeHeaders(held.headers, published), payload };
}

/** The answer of an item that no filter has changed and that is no patch: it depends on the fields of the held response alone. */
export function plainAnswer(format: HttpResponseSend, headers: RawHeaders): ResponseAnswer {
  return responseAnswer(format, undefined, { headers, body: EMPTY });
}

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
