/**
 * From the options that several sources give to one value for each: precedence, defaults, secrets and keys. Everything that
 * can be wrong with a value is found here, or by the checks across options (`checks/combinations.ts`).
 */
import { isAbsolute, resolve } from 'node:path';
import type { ConfigErrorCode, ConfigProblem } from '../errors.js';
import { checkCombinations, type Draft, type Findings } from './checks/combinations.js';
import { checkEvents } from './checks/events.js';
import { checkRequestId } from './checks/request-id.js';
import { type KeyReader, whyUnread } from './files/read-file.js';
import { type Option, optionName } from './option.js';
import { parseOption } from './parse-option.js';
import { type FileFormat, type GivenOption, type GivenOptions, placeOf, type Source } from './sources.js';
import { type Options, options } from './table.js';

/** What resolving needs from outside. */
export interface ResolveContext {
  readonly cwd: string;
  /** Absolute; what relative default paths of kind `config` are relative to. */
  readonly configDir: string;
  /** Undefined: there is no file. */
  readonly format: FileFormat | undefined;
  /** Reads a secret file as text; throws as node:fs does. */
  readonly readFile: (path: string) => string;
  readonly keys: KeyReader;
}

/** The value of every option, and what is wrong or doubtful. With problems the values must not be used. */
export interface Resolved {
  readonly options: Options;
  /** What was given for each option that was given at all, by key: that of the source with the highest precedence. */
  readonly given: GivenOptions;
  /** Absolute paths of the files from which keys and other secrets were read. */
  readonly keyFiles: readonly string[];
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/** Option pairs of which one replaces the other: the source with the higher precedence decides. */
const exclusive: readonly (readonly [string, string])[] = [
  ['routes', 'routesfile'],
  ...options.flatMap(({ key, secretFor }) => (secretFor === undefined ? [] : [[secretFor, key] as const])),
];

/** Options for which an empty text is a value; for all others it means "not set". */
function keepsEmpty(option: Option): boolean {
  return ['list', 'ports', 'sockets', 'secret', 'forwarded-for'].includes(option.type) || option.default === '';
}

/** Options on their way to their values: `choose`, `parse`, `readSecrets`, the checks, and `readKeys`, in this order. */
class Resolution implements Findings {
  readonly problems: ConfigProblem[] = [];
  readonly warnings: string[] = [];
  readonly given = new Map<string, GivenOption>();
  /** By name; keys are texts until they are read. */
  readonly values: Record<string, unknown> = {};
  readonly #layers: readonly GivenOptions[];
  readonly #context: ResolveContext;

  constructor(sources: readonly Source[], context: ResolveContext) {
    this.#layers = sources.map(({ given }) => given);
    this.#context = context;
  }

  get format(): FileFormat | undefined {
    return this.#context.format;
  }

  fail(code: ConfigErrorCode, { option, where }: GivenOption, reason: string): void {
    const { file, line } = where;
    this.problems.push({
      code,
      message: `${placeOf(where)}: ${reason}`,
      key: option.key,
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
    });
  }

  /** Chooses what counts of what was given for each option. */
  choose(): void {
    for (const option of options) {
      const given = this.#layers.find((layer) => layer.has(option.key))?.get(option.key);
      if (given === undefined || (given.raw === '' && !keepsEmpty(option))) continue;
      this.given.set(option.key, given);
    }
    for (const [one, other] of exclusive) this.#exclude(one, other);
  }

  #exclude(one: string, other: string): void {
    const [first, second] = [this.given.get(one), this.given.get(other)];
    if (first === undefined || second === undefined) return;
    const rank = (given: GivenOption) => this.#layers.findIndex((layer) => layer.get(given.option.key) === given);
    if (rank(first) === rank(second))
      this.fail('ERR_CONFIG_CONFLICT', second, `cannot be given together with ${first.where.name}`);
    this.given.delete(rank(first) < rank(second) ? other : one);
  }

  /** Parses what was given for every option, or its default. */
  parse(): void {
    for (const option of options) {
      const given = this.given.get(option.key);
      const raw = given?.raw ?? this.#fallback(option);
      if (raw === undefined) continue;
      const parsed = parseOption(option, raw, { clamp: given?.where.source === 'pushpin' });
      if (!parsed.ok) {
        if (given === undefined) throw new TypeError(`the default of ${option.key} is wrong: ${parsed.why}`);
        this.fail('ERR_CONFIG_VALUE', given, parsed.why);
        continue;
      }
      if (parsed.clamped !== undefined && given !== undefined)
        this.warnings.push(`${placeOf(given.where)}: ${parsed.clamped}`);
      this.values[optionName(option.key)] =
        option.type === 'path' ? this.#path(option, String(parsed.value), given) : parsed.value;
    }
  }

  #fallback(option: Option): unknown {
    const shadowed = exclusive.some(
      ([one, other]) => (one === option.key && this.given.has(other)) || (other === option.key && this.given.has(one)),
    );
    if (shadowed && option.type !== 'secret') return undefined;
    return this.#context.format === 'pushpin' ? (option.pushpinDefault ?? option.default) : option.default;
  }

  #path(option: Option, text: string, given: GivenOption | undefined): string {
    const { cwd, configDir } = this.#context;
    const base = option.base === 'cwd' ? cwd : (given?.where.baseDir ?? configDir);
    return resolve(base, text);
  }

  /** Puts secrets from files in place, and makes the path of a `file:` key absolute. */
  readSecrets(): void {
    for (const { key, type, secretFor } of options) {
      const given = this.given.get(key);
      if (given === undefined) continue;
      const name = optionName(key);
      if (secretFor !== undefined) this.#readSecretFile(secretFor, given, this.values[name]);
      const value = this.values[name];
      if (type !== 'secret' || typeof value !== 'string' || !value.startsWith('file:')) continue;
      const path = value.slice('file:'.length);
      if (!isAbsolute(path)) this.values[name] = `file:${resolve(given.where.baseDir, path)}`;
    }
  }

  #readSecretFile(key: string, given: GivenOption, path: unknown): void {
    if (typeof path !== 'string') return;
    try {
      const secret = this.#context.readFile(path).replace(/\r?\n$/, '');
      // A value that names a file means a key: an empty file must not turn signing off unseen.
      if (secret.trim() === '') this.fail('ERR_CONFIG_FILE', given, `${path} is empty`);
      this.values[optionName(key)] = secret;
    } catch (error) {
      this.fail('ERR_CONFIG_FILE', given, `cannot read ${path}: ${whyUnread(error)}`);
    }
  }

  /** Turns the texts of keys into keys, each of which is tried out. */
  readKeys(): void {
    for (const { key, keyUse } of options) {
      if (keyUse === undefined) continue;
      const name = optionName(key);
      try {
        this.values[name] = this.#context.keys.read(String(this.values[name]), keyUse);
      } catch (error) {
        const where = (this.given.get(key) ?? this.given.get(`${key}_file`))?.where;
        const place = where?.file === undefined ? key : placeOf(where);
        this.problems.push({ code: 'ERR_CONFIG_KEY', message: `${place}: ${(error as Error).message}`, key });
      }
    }
  }

  /** See {@link Resolved}. */
  get keyFiles(): readonly string[] {
    const named = options.filter(({ key, secretFor }) => secretFor !== undefined && this.given.has(key));
    return [...named.map(({ key }) => String(this.values[optionName(key)])), ...this.#context.keys.files];
  }
}

/**
 * Resolves every option. `sources` come highest precedence first. Problems are collected, not thrown, so that all can be
 * shown at once.
 */
export function resolveOptions(sources: readonly Source[], context: ResolveContext): Resolved {
  const resolution = new Resolution(sources, context);
  resolution.choose();
  resolution.parse();
  resolution.readSecrets();
  // Checks across options would only repeat what is wrong with single ones.
  if (resolution.problems.length === 0) {
    checkCombinations(resolution.values as Draft, resolution);
    checkRequestId(resolution.values as Draft, resolution);
    checkEvents(resolution.values as Draft, resolution);
  }
  const before = sources.flatMap(({ problems }) => problems);
  if (before.length + resolution.problems.length === 0) resolution.readKeys();
  return {
    options: resolution.values as Draft,
    given: resolution.given,
    keyFiles: resolution.keyFiles,
    problems: [...before, ...resolution.problems],
    warnings: [...sources.flatMap(({ warnings }) => warnings), ...resolution.warnings],
  };
}
