/** Options with a syntax of their own, as text and as values: the rule for X-Forwarded-For, log levels. */

/**
 * The rule for X-Forwarded-For (`x_forwarded_for`, `x_forwarded_for_trusted`): first keep the last `truncate` addresses (all, if
 * undefined; none, if 0), then append the client's if `append`.
 */
export interface ForwardedForRule {
  readonly truncate?: number;
  readonly append: boolean;
}

/** Comma list of `truncate:N` and `append`; empty means "leave as it is". Undefined when malformed. */
export function parseForwardedFor(text: string): ForwardedForRule | undefined {
  let truncate: number | undefined;
  let append = false;
  for (const piece of text.split(',').map((word) => word.trim())) {
    const count = /^truncate:(\d{1,9})$/.exec(piece)?.[1];
    if (count !== undefined) truncate = Number(count);
    else if (piece === 'append') append = true;
    else if (piece !== '') return undefined;
  }
  return truncate === undefined ? { append } : { truncate, append };
}

/** The inverse of `parseForwardedFor`. */
export function formatForwardedFor(rule: ForwardedForRule): string {
  const pieces = rule.truncate === undefined ? [] : [`truncate:${rule.truncate}`];
  return (rule.append ? [...pieces, 'append'] : pieces).join(',');
}

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

const levelNames: ReadonlyMap<string, LogLevel> = new Map([['warning', 'warn']]);

/** `0`–`3` or a name; a number above 3 means debug, as in Pushpin. Undefined for anything else. */
function parseLogLevel(text: string): LogLevel | undefined {
  const word = text.trim().toLowerCase();
  if (/^\d+$/.test(word)) return logLevels[Math.min(Number(word), 3)];
  return logLevels.find((level) => level === word) ?? levelNames.get(word);
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
