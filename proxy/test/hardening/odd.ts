/** Values that parsers stumble over, by the place where they may stand. */
import type { Random } from './random.js';

/** Texts that may be read as whole numbers, or not. */
// biome-ignore format: one a line says less
export const oddNumbers = [
  '0', '1', '-1', '+1', ' 1', '1 ', '01', '007', '1.5', '1e3', '0x10', '1_000', '', ' ', 'NaN', 'Infinity', '-0',
  '2147483647', '2147483648', '4294967296', '9007199254740991', '9007199254740993', '18446744073709551616',
  '99999999999999999999999999', '١', '１',
] as const;

/** Names that objects inherit, or that select something. */
// biome-ignore format: one a line says less
export const oddNames = [
  '__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', 'then', 'length', '', '*', '.', '..',
  '/', '~', '~0', '~1', '%00', '%', '%2', '%zz', '\u0000', '\u2028', '\ud800', 'é', '𝒳', 'a b', 'a,b', 'a;b', 'a=b', '"', "'",
] as const;

/** Filters, known and not. */
// biome-ignore format: one a line says less
export const filters = [
  'skip-self', 'skip-users', 'require-sub', 'build-id', 'var-subst', 'http-check', 'http-modify', 'no-such', '', 'BUILD-ID', '__proto__',
] as const;

/** Bytes of a header value, some of which no field may have. One character for each byte. */
export function oddValue(random: Random): string {
  return random.one(
    () => random.pick(oddNumbers),
    () => Buffer.from(random.pick(oddNames)).toString('latin1'),
    () => 'x'.repeat(random.size(20_000)),
    () => random.bytes(0, 12).toString('latin1').replaceAll('\n', '.'),
    () => Buffer.from('Trouvé \u010d\u010a € 𝒳').toString('latin1'),
    () => 'a\rSet-Split: 1',
    () => 'a\0b',
    () => '\t \t',
    () => `"${'\\'.repeat(random.int(0, 9))}"`,
    () => ', ,;=,'.repeat(random.int(1, 400)),
  );
}

/** Any text, for JSON. */
export function oddText(random: Random): string {
  return random.one(
    () => random.pick(oddNames),
    () => random.pick(oddNumbers),
    () => random.bytes(0, 20).toString('utf16le'),
    () => 'y'.repeat(random.size(30_000)),
    () => '%(a)s%(__proto__)s%(%%'.repeat(random.int(1, 30)),
    () => 'r\r\nSet-Split: 1',
    () => '\u010d\u010aSet-Split: 1',
  );
}

/** Any JSON value, of any type; as text, since JSON can say more than values can (doubled keys, `__proto__`). */
export function oddJson(random: Random, depth = 3): string {
  return random.one(
    () => random.pick(['null', 'true', 'false', '0', '-0', '1e999', '-1', '1.5', '9007199254740993', '[]', '{}', '""']),
    () => JSON.stringify(oddText(random)),
    () => (depth > 0 ? `[${random.list(0, 4, () => oddJson(random, depth - 1)).join(',')}]` : '[]'),
    () => (depth > 0 ? `{${random.list(0, 4, () => oddMember(random, depth)).join(',')}}` : '{}'),
    () => deepJson(random.pick([50, 500, 5_000, 20_000]), random.once(2)),
  );
}

function oddMember(random: Random, depth: number): string {
  return `${JSON.stringify(oddText(random))}:${oddJson(random, depth - 1)}`;
}

/** Lists or objects nested so deep. */
export function deepJson(depth: number, lists: boolean): string {
  const [open, close] = lists ? ['[', ']'] : ['{"a":', '}'];
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

/** A JSON object with the members given, of which now and then one is replaced, left out, doubled or added. */
export function mutatedObject(random: Random, members: readonly (readonly [name: string, value: string])[]): string {
  const list = members.map(([name, value]) => [name, value] as [string, string]);
  while (random.once(3) && list.length > 0) {
    const at = random.int(0, list.length - 1);
    random.one<unknown>(
      () => list.splice(at, 1, [(list[at] as [string, string])[0], oddJson(random)]),
      () => list.splice(at, 1),
      () => list.splice(at, 0, [(list[at] as [string, string])[0], oddJson(random)]),
      () => list.push([random.pick(oddNames), oddJson(random)]),
    );
  }
  return `{${list.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

/** Links of an origin to paths that name no case: the origin itself is asked there. */
export const STRAY_LINKS: readonly string[] = ['/', '//', '///x', `/${'n'.repeat(9_000)}`];

/** The bytes with a few changes: flipped, cut, doubled, put in. */
export function mutatedBytes(random: Random, bytes: Buffer): Buffer {
  let result = bytes;
  while (random.once(2)) {
    const at = random.int(0, result.length);
    const until = Math.min(result.length, at + random.int(0, 8));
    const part = random.one(
      () => random.bytes(1, 4),
      () => Buffer.concat([result.subarray(at, until), result.subarray(at, until)]),
      () => Buffer.alloc(0),
      () => Buffer.from(random.pick(['\r', '\n', '\r\n', '\0', ' ', ':', ',', '"', '{', ']', '-1', '\xff'])),
    );
    result = Buffer.concat([result.subarray(0, at), part, result.subarray(until)]);
  }
  return result;
}
