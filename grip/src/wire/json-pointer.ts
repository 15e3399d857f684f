/**
 * JSON pointers (RFC 6901) into values that JSON.parse has made.
 *
 * Inherited members are never read: `hasOwnProperty`, `constructor` and `length` are names like any other, and exist only where
 * the document has them.
 */

/** What is at a place where nothing is. */
export const NOTHING: unique symbol = Symbol('nothing');

/** The tokens of a pointer; undefined for text that is none. The whole document has none. */
export function parsePointer(text: string): string[] | undefined {
  if (text === '') return [];
  if (text[0] !== '/' || /~(?![01])/.test(text)) return undefined;
  const tokens = text.slice(1).split('/');
  return text.includes('~') ? tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~')) : tokens;
}

/** Whether a value is what JSON calls an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const index = /^(?:0|[1-9][0-9]{0,9})$/;

/** The index that a token means, or undefined: no sign, no leading zero, no exponent, no name. */
export function indexOf(token: string): number | undefined {
  return index.test(token) ? Number(token) : undefined;
}

/** The member of a list or object that a token names, or {@link NOTHING}. */
export function childOf(parent: unknown, token: string): unknown {
  if (Array.isArray(parent)) {
    const at = indexOf(token);
    return at !== undefined && at < parent.length ? parent[at] : NOTHING;
  }
  return isObject(parent) && Object.hasOwn(parent, token) ? parent[token] : NOTHING;
}

/** What the first `count` tokens lead to, or {@link NOTHING}. */
export function follow(root: unknown, tokens: readonly string[], count = tokens.length): unknown {
  let value = root;
  for (let i = 0; i < count && value !== NOTHING; i++) value = childOf(value, tokens[i] as string);
  return value;
}

/** Gives an object a member of its own, whatever its name: `__proto__` would otherwise be its prototype. */
export function setMember(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}
