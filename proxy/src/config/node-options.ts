/** Options that a program gives as an object, by their names in `holdfast.yaml`: their types, and how they become given options. */
import type { ConfigProblem } from '../errors.js';
import type { Option } from './option.js';
import { type GivenOption, placeOf, type Source, type Where } from './sources.js';
import { nearestKey, type OptionRow, optionByKey } from './table.js';

type Texts = string | readonly string[];

/** What may be written for an option of each type. */
interface WrittenTypes {
  bool: boolean;
  int: number;
  limit: number;
  string: string;
  secret: string;
  path: string;
  enum: string;
  /** A number in the unit of the option, or a text such as `90s`. */
  duration: number | string;
  /** Bytes, or a text such as `64KiB`. */
  size: number | string;
  list: Texts;
  percent: number | string;
  lines: Texts;
  addresses: Texts;
  ports: number | string | readonly (number | string)[];
  sockets: Texts;
  'log-levels': number | string;
  'forwarded-for': string;
  workers: number | 'auto';
  'log-fields': Texts;
  'log-redact': Texts;
  mode: string;
}

type Written<Row extends Option> = Row extends { type: 'enum'; values: readonly (infer Word)[] }
  ? Word
  : WrittenTypes[Row['type']];

/**
 * The options of a node, each as in `holdfast.yaml`: docs/config.md describes them. What is left out, undefined or null has its
 * default.
 */
export type NodeOptions = {
  readonly [Row in OptionRow as Row['key']]?: Written<Row> | null | undefined;
} & {
  /** Files that hold secrets. */
  readonly [Row in Extract<OptionRow, { type: 'secret' }> as `${Row['key']}_file`]?: string | null | undefined;
};

/** Characters of an unknown key that are shown. */
const MAX_NAME = 100;

/** The given options of an object. An unknown key is a problem. Relative paths are relative to `baseDir`, which is absolute. */
export function objectSource(object: NodeOptions, baseDir: string): Source {
  const given = new Map<string, GivenOption>();
  const problems: ConfigProblem[] = [];
  for (const [key, raw] of Object.entries(object)) {
    if (raw === undefined || raw === null) continue;
    const option = optionByKey(key);
    const where: Where = { source: 'program', name: key.slice(0, MAX_NAME), baseDir };
    if (option === undefined) {
      const message = `${placeOf(where)}: unknown key; did you mean ${nearestKey(where.name)}?`;
      problems.push({ code: 'ERR_CONFIG_UNKNOWN_KEY', message, key: where.name });
    } else given.set(key, { option, raw, where });
  }
  return { given, problems, warnings: [] };
}
