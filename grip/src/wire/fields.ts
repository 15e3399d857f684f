/** The members of a JSON object from outside, or of a decoded tnetstring: GRIP's rules of types, with Pushpin's error texts. */
import { Buffer } from 'node:buffer';
import { isLongName, MAX_NAME_BYTES } from '../channel.js';
import { GripError, type GripErrorCode } from '../errors.js';
import { MAX_INTEGER, parseInteger, readBase64 } from './text.js';

/** An object as JSON.parse makes it; `__proto__` may be an own member, so members are read with Object.hasOwn first. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object: not null, not a list, not bytes. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** The text of a string, or of bytes read as UTF-8 (invalid ones become U+FFFD); undefined for any other type. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : undefined;
}

/** What a value is, as text that follows `got`. Bytes are what a tnetstring has for a string. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Uint8Array || typeof value === 'string') return 'a string';
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'an object' : 'a number';
}

/** A piece of input for an error text: in quotes, and no longer than a line takes. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}

/** Characters of such a quotation. */
const MAX_QUOTED = 60;

/**
 * The members of one object. An absent member gives undefined; a member of the wrong type, null included, throws a
 * GripError of the given code: `<name> contains '<key>' with wrong type`, and which one was expected.
 */
export class Fields {
  readonly object: JsonObject;
  readonly name: string;
  readonly #code: GripErrorCode;

  /** Throws `<name> is not an object`, and what it is. */
  constructor(value: unknown, name: string, code: GripErrorCode) {
    if (!isJsonObject(value)) throw new GripError(code, `${name} is not an object but ${kindOf(value)}`);
    this.object = value;
    this.name = name;
    this.#code = code;
  }

  /** An error about this object, to be thrown by the caller. */
  error(message: string): GripError {
    return new GripError(this.#code, message);
  }

  /** `<name> contains '<key>' with wrong type: expected …, got …`, to be thrown by the caller. */
  wrongType(key: string, expected: string): GripError {
    return this.error(`${this.name} contains '${key}' ${mistyped(expected, this.value(key))}`);
  }

  /** `<name> contains '<key>' with invalid value: must be …`, to be thrown by the caller. */
  invalid(key: string, must: string): GripError {
    return this.error(`${this.name} contains '${key}' with invalid value: must be ${must}`);
  }

  /** `<name> contains '<key>' with unknown value …, known are …`, to be thrown by the caller. */
  unknown(key: string, given: string, known: readonly string[]): GripError {
    const list = known.join(', ');
    return this.error(`${this.name} contains '${key}' with unknown value ${quoted(given)}, known are ${list}`);
  }

  /** `<name> does not contain '<key>'`, to be thrown by the caller. */
  missing(key: string): GripError {
    return this.error(`${this.name} does not contain '${key}'`);
  }

  /** Whether the object has the member itself, whatever its value; inherited ones do not count. */
  has(key: string): boolean {
    return Object.hasOwn(this.object, key);
  }

  /** The member as it is, or undefined. */
  value(key: string): unknown {
    return this.has(key) ? this.object[key] : undefined;
  }

  /** A string, or bytes read as UTF-8. */
  string(key: string): string | undefined {
    if (!this.has(key)) return undefined;
    const text = textOf(this.object[key]);
    if (text === undefined) throw this.wrongType(key, 'a string');
    return text;
  }

  /** A {@link string} that is kept as a name or an id, and may not be longer than one. */
  identifier(key: string): string | undefined {
    const text = this.string(key);
    if (text !== undefined && isLongName(text)) {
      throw this.error(`${this.name} contains '${key}' of more than ${MAX_NAME_BYTES} bytes`);
    }
    return text;
  }

  /** A list of anything. */
  list(key: string): readonly unknown[] | undefined {
    if (!this.has(key)) return undefined;
    const value = this.object[key];
    if (!Array.isArray(value)) throw this.wrongType(key, 'a list');
    return value;
  }

  /** true or false, and no string for it. */
  boolean(key: string): boolean | undefined {
    if (!this.has(key)) return undefined;
    const value = this.object[key];
    if (typeof value !== 'boolean') throw this.wrongType(key, 'true or false');
    return value;
  }

  /** A member object as Fields; `name` is how error texts call it, by default its key. */
  fields(key: string, name = key): Fields | undefined {
    if (!this.has(key)) return undefined;
    const value = this.object[key];
    if (!isJsonObject(value)) throw this.wrongType(key, 'an object');
    return new Fields(value, name, this.#code);
  }

  /**
   * A whole number from `min` to `max`, or a string that holds one; anything out of range throws `… with invalid value`.
   * Fractions are rounded, as Pushpin does.
   */
  integer(key: string, max = MAX_INTEGER, min = 0): number | undefined {
    if (!this.has(key)) return undefined;
    const raw = this.object[key];
    const text = typeof raw === 'number' ? undefined : textOf(raw);
    const value = text === undefined ? raw : parseInteger(text);
    if (typeof value !== 'number' || Number.isNaN(value)) throw this.wrongType(key, 'a whole number');
    const rounded = Math.round(value);
    if (rounded < min || rounded > max) throw this.invalid(key, `from ${min} to ${max}`);
    return rounded === 0 ? 0 : rounded; // never -0
  }

  /** Bytes from a text member (as UTF-8) or, first if present, from its base64 twin; see `readBase64`. */
  bytes(key: string, base64Key: string): Buffer | undefined {
    const isBase64 = this.has(base64Key);
    const from = isBase64 ? base64Key : key;
    if (!this.has(from)) return undefined;
    const value = this.object[from];
    if (value instanceof Uint8Array) return Buffer.from(value);
    if (typeof value !== 'string') throw this.wrongType(from, isBase64 ? 'a string of base64' : 'a string');
    if (!isBase64) return Buffer.from(value, 'utf8');
    const bytes = readBase64(value);
    if (typeof bytes === 'string') throw this.error(`${this.name} contains '${from}' that is not base64: ${bytes}`);
    return bytes;
  }

  /** A list of strings; `fault` is the error text for an element of another type. */
  strings(key: string, fault: string): string[] | undefined {
    return this.list(key)?.map((value) => {
      const text = textOf(value);
      if (text === undefined) throw this.error(`${fault}: expected a string, got ${kindOf(value)}`);
      return text;
    });
  }

  /**
   * A string-to-string object, copied to one without prototype, so that no key (`__proto__`, `constructor`) means
   * anything but itself. A value of another type throws `'<key>' contains '<member>' with wrong type: …`.
   */
  stringMap(key: string): Record<string, string> {
    const map: Record<string, string> = Object.create(null);
    const given = this.fields(key);
    if (given === undefined) return map;
    for (const [name, value] of Object.entries(given.object)) {
      const text = textOf(value);
      if (text === undefined) throw this.error(`'${key}' contains '${name}' ${mistyped('a string', value)}`);
      map[name] = text;
    }
    return map;
  }
}

/** Text that follows a name: `with wrong type: expected a string, got null`. */
export function mistyped(expected: string, value: unknown): string {
  return `with wrong type: expected ${expected}, got ${kindOf(value)}`;
}

/**
 * A value under construction. Members that may be absent are then assigned one by one: spreading them takes ten times as long
 * in code that has not run thousands of times, as in a process that publishes now and then (measured: 46 instead of 9 µs for
 * an instruct).
 */
export type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
