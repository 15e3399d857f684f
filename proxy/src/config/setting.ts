/**
 * A raw value on its way into the configuration, with the place it was found at.
 *
 * Does not own reading it from there, nor which of several settings wins.
 */
import type { Option } from './option.js';

/** Where a setting was found. */
export interface Where {
  readonly surface: 'flag' | 'environment' | 'yaml' | 'pushpin';
  /** As written there: `--port`, `HOLDFAST_HTTP_PORT`, `http_port`, `runner.http_port`. */
  readonly name: string;
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  /** Absolute; what a relative path in this setting is relative to, unless the option says otherwise. */
  readonly baseDir: string;
}

/** One raw value of one option. */
export interface Setting {
  readonly option: Option;
  /** Text, or what YAML made of it. */
  readonly raw: unknown;
  readonly where: Where;
}

/** The settings of one surface, by option key. */
export type Settings = ReadonlyMap<string, Setting>;

/** `file:line: key` or just the key: the beginning of every error and warning line. */
export function placeOf(where: Omit<Where, 'surface' | 'baseDir'>): string {
  if (where.file === undefined) return where.name;
  return `${where.file}${where.line === undefined ? '' : `:${where.line}`}: ${where.name}`;
}
