/** RFC 6902 patches of a held response body: which are accepted, and applying them by own members only and within bounds. */
import { Buffer } from 'node:buffer';
import { GripError } from '../errors.js';
import { type Fields, isJsonObject, textOf } from '../wire/fields.js';
import { isDeeper, MAX_JSON_DEPTH, readJson } from '../wire/json.js';

/** What is at a place where nothing is. */
const NOTHING: unique symbol = Symbol('nothing');

/** The tokens of a pointer; undefined for text that is not a pointer, empty for the whole document. */
function parsePointer(text: string): string[] | undefined {
  if (text === '') return [];
  if (text[0] !== '/' || /~(?![01])/.test(text)) return undefined;
  const tokens = text.slice(1).split('/');
  return text.includes('~') ? tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~')) : tokens;
}

/** Whether a value is what JSON calls an object. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const index = /^(?:0|[1-9][0-9]{0,9})$/;

/** The index that a token means, or undefined: no sign, no leading zero, no exponent, no name. */
function indexOf(token: string): number | undefined {
  return index.test(token) ? Number(token) : undefined;
}

/** The member of a list or object that a token names, or {@link NOTHING}. */
function childOf(parent: unknown, token: string): unknown {
  if (Array.isArray(parent)) {
    const at = indexOf(token);
    return at !== undefined && at < parent.length ? parent[at] : NOTHING;
  }
  return isObject(parent) && Object.hasOwn(parent, token) ? parent[token] : NOTHING;
}

/** What the first `count` tokens lead to, or {@link NOTHING}. */
function follow(root: unknown, tokens: readonly string[], count = tokens.length): unknown {
  let value = root;
  for (let i = 0; i < count && value !== NOTHING; i++) value = childOf(value, tokens[i] as string);
  return value;
}

/** Sets an own member, whatever its name: `__proto__` would otherwise be its prototype. */
function setMember(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

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
 * The text of a patch, whose operations are well-formed: known, with valid pointers and all that they need.
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

/**
 * Bytes by which `copy` may make a body grow, over all operations of a patch: 40 of them that each double a value would
 * else make a terabyte. What the others add is in the patch itself.
 *
 * @limit {MiB} by which `copy` makes a held body grow; and `MAX_JSON_DEPTH` levels of the result
 * @over the item is not delivered to that client, counted (`patch-limit`) and logged; its hold goes on
 */
export const MAX_PATCH_COPIES = 1_048_576;

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/**
 * The body with the patch applied, as compact JSON; a newline at the end of the old body stays. `patch` is text of
 * `checkedPatch`. Undefined when the body is not a JSON object or array, or when any operation fails: then nothing is
 * applied (RFC 6902 §5). Object keys keep the order in which they were. Throws ERR_GRIP_PATCH when the body would become
 * more than it may.
 */
export function applyBodyPatch(body: Buffer, patch: string): Buffer | undefined {
  const text = body.toString('utf8');
  const { value: document } = readJson(text);
  if (typeof document !== 'object' || document === null) return undefined;
  // Parsed for this body: its values become a part of it, and are changed by operations that follow.
  const { value: operations } = readJson(patch);
  const patched = new PatchedDocument(document);
  for (const operation of operations as readonly Operation[]) if (!patched.apply(operation)) return undefined;
  if (isDeeper(patched.root, MAX_JSON_DEPTH)) throw overLimit(`nest deeper than ${MAX_JSON_DEPTH} levels`);
  const newline = /\r?\n$/.exec(text)?.[0] ?? '';
  return Buffer.from(`${JSON.stringify(patched.root)}${newline}`);
}

function overLimit(what: string): GripError {
  return new GripError('ERR_GRIP_PATCH', `the patched body would ${what}`);
}

/** A document under way. */
class PatchedDocument {
  root: unknown;
  #copies = MAX_PATCH_COPIES;

  constructor(root: unknown) {
    this.root = root;
  }

  /** False when the operation cannot be carried out. */
  apply({ op, path, from, value }: Operation): boolean {
    const to = parsePointer(path) as string[];
    switch (op) {
      case 'add':
        return this.#add(to, value);
      case 'remove':
        return this.#remove(to);
      case 'replace':
        return this.#replace(to, value);
      case 'test':
        return isEqual(follow(this.root, to), value);
      default:
        return op === 'copy' ? this.#copy(from as string, to) : this.#move(from as string, path, to);
    }
  }

  #add(tokens: readonly string[], value: unknown): boolean {
    const last = tokens.at(-1);
    if (last === undefined) {
      this.root = value;
      return true;
    }
    const parent = follow(this.root, tokens, tokens.length - 1);
    if (isObject(parent)) {
      setMember(parent, last, value);
      return true;
    }
    if (!Array.isArray(parent)) return false;
    const at = last === '-' ? parent.length : indexOf(last);
    if (at === undefined || at > parent.length) return false;
    parent.splice(at, 0, value);
    return true;
  }

  #remove(tokens: readonly string[]): boolean {
    const last = tokens.at(-1);
    if (last === undefined) return false;
    const parent = follow(this.root, tokens, tokens.length - 1);
    if (childOf(parent, last) === NOTHING) return false;
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete (parent as Record<string, unknown>)[last];
    return true;
  }

  #replace(tokens: readonly string[], value: unknown): boolean {
    const last = tokens.at(-1);
    if (last === undefined) {
      this.root = value;
      return true;
    }
    const parent = follow(this.root, tokens, tokens.length - 1);
    if (childOf(parent, last) === NOTHING) return false;
    if (Array.isArray(parent)) parent[Number(last)] = value;
    else setMember(parent as Record<string, unknown>, last, value);
    return true;
  }

  #move(from: string, path: string, to: readonly string[]): boolean {
    const source = parsePointer(from) as string[];
    const value = follow(this.root, source);
    if (value === NOTHING) return false;
    if (from === path) return true;
    // A value cannot be moved into itself (RFC 6902 §4.4).
    if (path.startsWith(`${from}/`)) return false;
    return this.#remove(source) && this.#add(to, value);
  }

  #copy(from: string, to: readonly string[]): boolean {
    const value = follow(this.root, parsePointer(from) as string[]);
    return value !== NOTHING && this.#add(to, this.#clone(value, MAX_JSON_DEPTH));
  }

  /** Counts before it allocates, roughly as many bytes as the value takes in the body. */
  #clone(value: unknown, levels: number): unknown {
    if (typeof value !== 'object' || value === null) {
      this.#spend(typeof value === 'string' ? value.length + 3 : 5);
      return value;
    }
    if (levels === 0) throw overLimit(`nest deeper than ${MAX_JSON_DEPTH} levels`);
    this.#spend(3);
    if (Array.isArray(value)) return value.map((element) => this.#clone(element, levels - 1));
    const copy: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(value)) {
      this.#spend(name.length + 3);
      setMember(copy, name, this.#clone(member, levels - 1));
    }
    return copy;
  }

  #spend(bytes: number): void {
    this.#copies -= bytes;
    if (this.#copies < 0) throw overLimit(`grow by more than ${MAX_PATCH_COPIES} bytes of copies`);
  }
}

/** As RFC 6902 §4.6 has it. Takes as long as the expected value is large, which the patch has to carry. */
function isEqual(actual: unknown, expected: unknown): boolean {
  if (typeof expected !== 'object' || expected === null) return actual === expected;
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false;
    return expected.every((element, i) => isEqual(actual[i], element));
  }
  if (!isObject(actual)) return false;
  const entries = Object.entries(expected);
  if (entries.some(([name, member]) => !Object.hasOwn(actual, name) || !isEqual(actual[name], member))) return false;
  return Object.keys(actual).length === entries.length;
}
