/** The keys of the control API: read from `control_keys_file` and `control_key`, with what is wrong with them. */
import { dirname, resolve } from 'node:path';
import {
  type ControlKey,
  type KeyProblem,
  type KeysRead,
  KeyTable,
  ONE_KEY_ID,
  readKeyEntries,
  readOneKey,
} from '@holdfast/control-api';
import { ConfigError, type ConfigProblem } from '../../errors.js';
import type { Config } from '../config.js';
import { CONFIG_FILE_MAX, PEM_FILE_MAX, readWhole, SECRET_FILE_MAX, whyUnread } from './read-file.js';
import { parseYamlList } from './yaml-file.js';

/** The options that keys come from. */
export type KeysConfig = Pick<Config, 'controlKeysFile' | 'controlKey' | 'controlKeyFile'>;

/** The keys that a configuration has. With problems they must not be used. */
export interface KeysReading {
  readonly table: KeyTable;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  /** Absolute paths of the files that hold keys. */
  readonly files: readonly string[];
  /** The last line of the keys file has no end of line: it may be no more than the beginning of one. */
  readonly hasOpenEnd: boolean;
}

/** Whether a configuration asks for keys at all. */
export function hasKeys({ controlKeysFile, controlKey }: KeysConfig): boolean {
  return controlKeysFile !== undefined || controlKey !== undefined;
}

/** Collects keys and what is said of them. */
class KeysCollection {
  readonly keys: ControlKey[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly warnings: string[] = [];
  readonly files = new Set<string>();
  hasOpenEnd = false;

  /** `file` is undefined for keys of an option. */
  add({ keys, problems, warnings }: KeysRead, file: string | undefined): void {
    const place = ({ line, text }: KeyProblem) => (file === undefined ? text : `${file}:${line}: ${text}`);
    this.keys.push(...keys);
    for (const problem of problems) this.fail(place(problem), file, problem.line);
    this.warnings.push(...warnings.map(place));
  }

  fail(message: string, file?: string, line?: number): void {
    this.problems.push({
      code: 'ERR_CONFIG_KEY',
      message,
      ...(file !== undefined && { file }),
      ...(file !== undefined && line !== undefined && { line }),
    });
  }
}

/** Reads all keys of a configuration anew, files included. Never throws. */
export function readKeys({ controlKeysFile, controlKey, controlKeyFile }: KeysConfig): KeysReading {
  const found = new KeysCollection();
  if (controlKeysFile !== undefined) readKeysFile(controlKeysFile, found);
  if (controlKeyFile !== undefined) readKeyFile(controlKeyFile, found);
  else if (controlKey !== undefined) found.add(readOneKey(controlKey), undefined);
  if (controlKeysFile !== undefined && found.keys.filter(({ id }) => id === ONE_KEY_ID).length > 1)
    found.fail(`${controlKeysFile}: an entry has the id ${ONE_KEY_ID}, which is that of control_key`);
  return { ...found, files: [...found.files], table: new KeyTable(found.keys) };
}

function readKeysFile(file: string, found: KeysCollection): void {
  let text: string;
  try {
    text = readWhole(file, CONFIG_FILE_MAX).toString('utf8');
  } catch (cause) {
    found.fail(`cannot read control_keys_file ${file}: ${whyUnread(cause)}`, file);
    return;
  }
  found.files.add(file);
  found.hasOpenEnd = text !== '' && !text.endsWith('\n');
  const { entries, problems } = parseYamlList(text);
  for (const { line, reason } of problems) found.fail(`${file}:${line}: ${reason}`, file, line);
  // No keys at all would let nobody in, or everybody: neither is what anybody means by an empty file.
  if (problems.length === 0 && entries.length === 0) found.fail(`${file}: it has no keys`, file);
  const readFile = (path: string) => {
    const absolute = resolve(dirname(file), path);
    const content = readSecret(absolute, PEM_FILE_MAX);
    found.files.add(absolute);
    return content;
  };
  found.add(readKeyEntries(entries, readFile), file);
}

function readKeyFile(file: string, found: KeysCollection): void {
  try {
    const text = readSecret(file, SECRET_FILE_MAX);
    found.files.add(file);
    if (text.trim() === '') found.fail(`${file} is empty`, file);
    else found.add(readOneKey(text), file);
  } catch (cause) {
    found.fail(`cannot read control_key_file ${file}: ${(cause as Error).message}`, file);
  }
}

/** One newline at the end is not part of a secret. The message of an error is the reason alone. */
function readSecret(path: string, max: number): string {
  try {
    return readWhole(path, max)
      .toString('utf8')
      .replace(/\r?\n$/, '');
  } catch (cause) {
    throw new Error(whyUnread(cause));
  }
}

/** For the start of a node, which must not begin with other keys than it is given. @throws ConfigError */
export function assertKeysRead({ problems: [problem, ...problems] }: KeysReading): void {
  if (problem !== undefined) throw new ConfigError([problem, ...problems]);
}
