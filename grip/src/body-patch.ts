/**
 * RFC 6902 patches of a held response body.
 *
 * Owns: from body and patch to the new body. Does not own: the operations themselves (rfc6902), or what is sent when a
 * patch does not apply.
 */
import { Buffer } from 'node:buffer';
import { applyPatch } from 'rfc6902';

/**
 * The body with the patch applied, as compact JSON; a newline at the end of the old body stays. Undefined when the body
 * is not a JSON object or array, or when any operation is malformed or fails: then nothing is applied (RFC 6902 §5).
 * Object keys keep the order in which they were.
 */
export function applyBodyPatch(body: Buffer, patch: readonly unknown[]): Buffer | undefined {
  const text = body.toString('utf8');
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== 'object' || document === null) return undefined;
    // The operations share no objects with the item, which other holds patch with too.
    const operations = structuredClone(patch) as Parameters<typeof applyPatch>[1];
    const holder = { root: document };
    const rooted = operations.map(rootOperation);
    if (applyPatch(holder, rooted).some((error) => error !== null)) return undefined;
    const newline = /\r?\n$/.exec(text)?.[0] ?? '';
    return Buffer.from(`${JSON.stringify(holder.root)}${newline}`);
  } catch {
    return undefined;
  }
}

/** Moves an operation under `/root`, so that one on the whole document (pointer "") has a parent to act on. */
function rootOperation<T extends { path: string; from?: string }>(operation: T): T {
  const moved = { ...operation, path: `/root${operation.path}` };
  if (typeof operation.from === 'string') moved.from = `/root${operation.from}`;
  return moved;
}
