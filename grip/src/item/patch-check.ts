/** The shape and the bounds of RFC 6902 operations in a published patch. body-patch.ts applies them. */
import { Buffer } from 'node:buffer';
import { type Fields, isJsonObject, textOf } from '../headers/fields.js';
import { isDeeper, MAX_JSON_DEPTH } from '../wire/json.js';
import { parsePointer } from '../wire/json-pointer.js';

/**
 * Operations of one patch: each may have to move a long list. More are refused.
 *
 * @limit {} operations of a `body-patch`
 * @over the publish is refused, 400
 */
export const MAX_PATCH_OPERATIONS = 1_000;

/**
 * Characters of a patch as compact JSON, which is parsed for each client that it is for. A longer one is refused.
 *
 * @limit {} characters of a `body-patch`
 * @over the publish is refused, 400
 */
export const MAX_PATCH_LENGTH = 262_144;

const valued = new Set(['add', 'replace', 'test']);
const sourced = new Set(['move', 'copy']);

/**
 * The text of a patch, whose operations are well-formed: known, with pointers that are some, and with all that they need.
 * Throws ERR_GRIP_ITEM. Members that an operation does not use go along.
 */
export function checkedPatch(fields: Fields, key: string): string | undefined {
  const operations = fields.list(key);
  if (operations === undefined) return undefined;
  if (operations.length > MAX_PATCH_OPERATIONS) {
    throw fields.error(`'${key}' has more than ${MAX_PATCH_OPERATIONS} operations`);
  }
  for (const [at, operation] of operations.entries()) {
    const fault = faultOf(operation);
    if (fault !== undefined) throw fields.error(`'${key}' operation ${at} ${fault}`);
  }
  if (isDeeper(operations, MAX_JSON_DEPTH)) throw fields.error(`'${key}' nests deeper than ${MAX_JSON_DEPTH} levels`);
  const text = JSON.stringify(operations, plain);
  if (text.length > MAX_PATCH_LENGTH) throw fields.error(`'${key}' is longer than ${MAX_PATCH_LENGTH} characters`);
  return text;
}

/** What is wrong with an operation, as text that follows its number. */
function faultOf(operation: unknown): string | undefined {
  if (!isJsonObject(operation)) return 'is not an object';
  const op = memberText(operation, 'op');
  if (op === undefined) return "does not contain 'op'";
  if (op !== 'remove' && !valued.has(op) && !sourced.has(op)) return "contains 'op' with unknown value";
  return (
    pointerFault(operation, 'path') ??
    (sourced.has(op) ? pointerFault(operation, 'from') : undefined) ??
    (valued.has(op) && !Object.hasOwn(operation, 'value') ? "does not contain 'value'" : undefined)
  );
}

function pointerFault(operation: Readonly<Record<string, unknown>>, key: 'path' | 'from'): string | undefined {
  const text = memberText(operation, key);
  if (text === undefined) return `does not contain '${key}'`;
  const tokens = parsePointer(text);
  if (tokens === undefined) return `contains '${key}' that is not a JSON pointer`;
  return tokens.length > MAX_JSON_DEPTH ? `contains '${key}' of more than ${MAX_JSON_DEPTH} levels` : undefined;
}

function memberText(object: Readonly<Record<string, unknown>>, key: string): string | undefined {
  return Object.hasOwn(object, key) ? textOf(object[key]) : undefined;
}

/** What a tnetstring has and JSON has not: byte strings are text, integers of any size numbers. */
function plain(this: unknown, key: string, value: unknown): unknown {
  const raw = (this as Readonly<Record<string, unknown>>)[key];
  if (raw instanceof Uint8Array) return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('utf8');
  return typeof raw === 'bigint' ? Number(raw) : value;
}
