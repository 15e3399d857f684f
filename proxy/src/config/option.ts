/** What one row of the option table looks like, the TypeScript type of the value it yields, and its names. */
import type { SigKey, SigKeyUse } from '@holdfast/grip';
import type { AccessField, Redacted } from './types/access-log.js';
import type { Listen, SocketListen } from './types/listen.js';
import type { ForwardedForRule, LogLevels } from './types/values.js';

/** The value that each option type yields once parsed: what parts receive. */
export interface OptionTypes {
  bool: boolean;
  int: number;
  /** A whole number; 0 and -1 set no limit, which is Infinity here. */
  limit: number;
  string: string;
  /** Text that is never printed or logged, or the key it stands for; has a `<key>_file` companion. */
  secret: string;
  /** A file or directory; made absolute by the loader. */
  path: string;
  enum: string;
  /** Milliseconds. Written as a number in the row's unit, `s` or `ms`, or with a unit (`90s`, `500ms`, `2m`, `1h`). */
  duration: number;
  /** Bytes; may be written with a unit (`64KiB`, `1MB`). */
  size: number;
  /** Comma separated. */
  list: readonly string[];
  /** From 0 to 1; written in percent. */
  percent: number;
  /** Routes lines: one per line of text, or a YAML list. */
  lines: readonly string[];
  /** Addresses and CIDR ranges, and `unix`; comma separated. */
  addresses: readonly string[];
  ports: readonly Listen[];
  sockets: readonly SocketListen[];
  'log-levels': LogLevels;
  'forwarded-for': ForwardedForRule;
  workers: number | 'auto';
  'log-fields': readonly AccessField[];
  'log-redact': readonly Redacted[];
  /** File permissions; written in octal. */
  mode: number;
}

/** Headings under which options appear in `--help` and docs/config.md, in this order. */
export const optionGroups = [
  'Clients',
  'Routes and origins',
  'Control API',
  'Delivery',
  'Several nodes',
  'Events',
  'Callbacks',
  'Logs and metrics',
  'Process',
] as const;

/** One option, on every surface: YAML file, pushpin.conf, `HOLDFAST_*` environment, command-line flag. */
export interface Option {
  /** snake_case, flat. Environment (`HOLDFAST_KEY`) and flag (`--key`) are derived from it. */
  readonly key: string;
  readonly group: (typeof optionGroups)[number];
  readonly type: keyof OptionTypes;
  /** One or two sentences of Markdown, shown in `--help` and docs/config.md. */
  readonly doc: string;
  /** As it would be written in a file; parsed like any other value. Without it the option may be unset. */
  readonly default?: string | number | boolean;
  /** Replaces `default` when the file is a pushpin.conf that lacks the key: what Pushpin's code does then. */
  readonly pushpinDefault?: string | number | boolean;
  /** `section.key` names in a pushpin.conf; the first that is present wins. */
  readonly pushpin?: readonly string[];
  /** Several `pushpin` keys add up instead (lists only). */
  readonly pushpinAdds?: true;
  /** Further flags, such as `--port` or `-m`. */
  readonly flags?: readonly string[];
  /** Unit in which a duration is written, or what an int or a limit counts. */
  readonly unit?: string;
  /** Smallest value, in the unit in which it is written; so is `max`. */
  readonly min?: number;
  readonly max?: number;
  /** What a text has to look like, and in words. */
  readonly pattern?: { readonly form: RegExp; readonly doc: string };
  /** The words of an enum. */
  readonly values?: readonly string[];
  /** What a relative path in a file is relative to; from a flag or the environment it is always the cwd. */
  readonly base?: 'config' | 'cwd';
  /** Not shown in `--help` and docs/config.md: internal, or kept so that old files load. */
  readonly hidden?: true;
  /** Of a secret that is a key: what for. It is read and tried out by the loader. */
  readonly keyUse?: SigKeyUse;
  /** Companion row: the path of a file that holds the secret with this key. */
  readonly secretFor?: string;
  /** What is different with `edge: uws`; docs/edges.md has all of it. */
  readonly uws?: UwsDifference;
}

/** How an option that says something to the node edge fares with the other one. */
export interface UwsDifference {
  /** `ignored`: it has no effect there, and setting it gives a warning. `other`: it has, but not quite the same. */
  readonly effect: 'ignored' | 'other';
  /** What happens there instead: a clause that can follow "where", without a full stop. Markdown. */
  readonly doc: string;
}

/** The value type of a row, `| undefined` when the row has no default. An empty key is undefined: nothing is done with it. */
export type OptionValue<Row extends Option> = Row extends { keyUse: SigKeyUse }
  ? SigKey | undefined
  :
      | (Row extends { type: 'enum'; values: readonly (infer Word)[] } ? Word : OptionTypes[Row['type']])
      | (Row extends { default: string | number | boolean } ? never : undefined);

/** `http_port` ⇒ `httpPort`: the name of an option in the code. */
export type OptionName<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<OptionName<Tail>>}`
  : Key;

/** `http_port` ⇒ `httpPort`: the name of an option in the code. */
export function optionName<Key extends string>(key: Key): OptionName<Key> {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) as OptionName<Key>;
}

/** What `--help` and docs/config.md say of an option: its `doc`, and what is different with `edge: uws`. Markdown. */
export function docOf({ doc, uws }: Option): string {
  if (uws === undefined) return doc;
  return `${doc} ${uws.effect === 'ignored' ? 'No effect with `edge: uws`, where' : 'With `edge: uws`'} ${uws.doc}.`;
}

/** `http_port` ⇒ `HOLDFAST_HTTP_PORT`. */
export function envName(option: Option): string {
  return `HOLDFAST_${option.key.toUpperCase()}`;
}

/** `http_port` ⇒ `--http-port`. */
export function flagName(option: Option): string {
  return `--${option.key.replaceAll('_', '-')}`;
}
