/** Log levels as Pushpin writes them: a number or a name, with exceptions per part. */

/** From the quietest to the most talkative; the index is Pushpin's number. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;

/** A level name. */
export type LogLevel = (typeof logLevels)[number];

/** The level for everything, and the levels of the parts that differ. */
export interface LogLevels {
  readonly level: LogLevel;
  /** By part: Holdfast's names, or Pushpin's service names (`proxy`, `handler`, `connmgr`). */
  readonly parts: Readonly<Record<string, LogLevel>>;
}

const names: ReadonlyMap<string, LogLevel> = new Map([['warning', 'warn']]);

/** `0`–`3` or a name; a number above 3 means debug, as in Pushpin. Undefined for anything else. */
export function parseLogLevel(text: string): LogLevel | undefined {
  const word = text.trim().toLowerCase();
  if (/^\d+$/.test(word)) return logLevels[Math.min(Number(word), 3)];
  return logLevels.find((level) => level === word) ?? names.get(word);
}

/** `2`, `info`, `2,proxy:3`, `proxy:debug` (the rest then info). Undefined when any piece is malformed. */
export function parseLogLevels(text: string): LogLevels | undefined {
  let level: LogLevel = 'info';
  const parts: Record<string, LogLevel> = {};
  for (const piece of text.split(',')) {
    const at = piece.indexOf(':');
    const parsed = parseLogLevel(piece.slice(at + 1));
    if (parsed === undefined) return undefined;
    const part = at === -1 ? '' : piece.slice(0, at).trim();
    if (at === -1) level = parsed;
    else if (/^[\w-]+$/.test(part)) parts[part] = parsed;
    else return undefined;
  }
  return { level, parts };
}

/** The inverse of `parseLogLevels`. */
export function formatLogLevels(levels: LogLevels): string {
  return [levels.level, ...Object.entries(levels.parts).map(([part, level]) => `${part}:${level}`)].join(',');
}
