/**
 * Durations and sizes as people write them: a bare number, or a number with its unit.
 *
 * Does not own ranges.
 */

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const bytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** `90` (in `unit`), `90s`, `500ms`, `2m`, `1h` ⇒ a number in `unit`; undefined when malformed. */
export function parseDuration(text: string, unit: 's' | 'ms'): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(ms|s|m|h)?$/.exec(text.trim());
  if (match === null) return undefined;
  const given = (match[2] ?? unit) as keyof typeof milliseconds;
  return (Number(match[1]) * milliseconds[given]) / milliseconds[unit];
}

/** `8192`, `64KiB`, `1MB` ⇒ whole bytes; undefined when malformed or not whole. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)?$/.exec(text.trim());
  const factor = bytes[match?.[2] ?? 'B'];
  if (match === null || factor === undefined) return undefined;
  const size = Number(match[1]) * factor;
  return Number.isSafeInteger(size) ? size : undefined;
}
