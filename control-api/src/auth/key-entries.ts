/** From the entries of a keys file to keys: what each member may be, and what is wrong where it is not. */
import { isLongName, type JwtKey, readJwtKey } from '@holdfast/grip';
import { ChannelPatterns } from './channel-patterns.js';
import { digestOf } from './digest.js';
import type { JwksPlace } from './jwks.js';
import type { ControlKey, KeyMaterial } from './key-table.js';
import { type Action, controlActions, isAction } from './rights.js';

/**
 * Keys of a node.
 *
 * @limit {} keys of the control API
 * @over the keys file is refused
 */
export const MAX_KEYS = 1_000;

/**
 * Patterns of channels of a key: each is tried for each item.
 *
 * @limit {} patterns of channels of a key of the control API
 * @over the keys file is refused
 */
export const MAX_PATTERNS = 100;

/**
 * Characters of a key that is sent itself: it has to fit into a request head, with whatever else is there.
 *
 * @limit {} characters of a literal key of the control API
 * @over the keys file is refused
 */
export const MAX_LITERAL = 4_096;

/** Bytes of a secret below which it is warned of: it can be found by trying. */
const SHORT_SECRET = 16;

/** Largest `rate`. */
const MAX_RATE = 1_000_000;

/** An entry as it was written. */
export interface KeyEntry {
  /** 1-based. */
  readonly line: number;
  readonly members: ReadonlyMap<string, KeyMember>;
}

/** A value as YAML gives it. */
export interface KeyMember {
  readonly value: unknown;
  /** 1-based. */
  readonly line: number;
}

/** Something wrong or doubtful with an entry. The text names the entry, and holds no secret. */
export interface KeyProblem {
  readonly line: number;
  readonly text: string;
}

/** What entries come to. With problems the keys must not be used. */
export interface KeysRead {
  readonly keys: readonly ControlKey[];
  readonly problems: readonly KeyProblem[];
  readonly warnings: readonly KeyProblem[];
}

/** Reads a file that an entry names, as text without a newline at its end; throws an error whose message says why it cannot. */
export type ReadKeyFile = (path: string) => string;

const memberNames = [
  ...['id', 'key', 'key_file', 'previous', 'previous_file', 'previous_until', 'iss', 'aud', 'jwks', 'jwks_ca'],
  ...['allow', 'channels', 'rate', 'client_cert'],
];

/** Fit for logs, metrics and the user name of `Basic`. */
const idForm = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/;

/** What can be a header field as it is. */
const literalForm = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;

/** The entries of a file, of which all must be right. */
export function readKeyEntries(entries: readonly KeyEntry[], readFile: ReadKeyFile): KeysRead {
  const problems: KeyProblem[] = [];
  const warnings: KeyProblem[] = [];
  const keys: ControlKey[] = [];
  if (entries.length > MAX_KEYS) {
    problems.push({ line: entries[MAX_KEYS]?.line ?? 1, text: `more than ${MAX_KEYS} keys` });
    return { keys, problems, warnings };
  }
  const taken = new Taken();
  for (const [i, entry] of entries.entries()) {
    const reading = new EntryReading(entry, i + 1, readFile);
    const key = reading.read();
    if (key !== undefined) taken.add(key, reading);
    problems.push(...reading.problems);
    warnings.push(...reading.warnings);
    if (key !== undefined) keys.push(key);
  }
  return { keys, problems, warnings };
}

/** The id of the key of `control_key`. */
export const ONE_KEY_ID = 'control';

/**
 * The key of `control_key`, which may do everything: sent as it is, or as the signer of tokens of any issuer, which is what
 * publishers make of it by their GRIP_URL. Throws an error with the reason.
 */
export function readOneKey(text: string): KeysRead {
  const members = new Map<string, KeyMember>([
    ['id', { value: ONE_KEY_ID, line: 0 }],
    ['key', { value: text, line: 0 }],
    ['allow', { value: controlActions, line: 0 }],
  ]);
  const reading = new EntryReading({ line: 0, members }, undefined, () => '');
  const key = reading.read();
  return { keys: key === undefined ? [] : [key], problems: reading.problems, warnings: reading.warnings };
}

/** What must be different in each entry. */
class Taken {
  readonly #entries = new Map<string, number>();

  add({ id, issuer, material, certificateNames }: ControlKey, reading: EntryReading): void {
    this.#claim('id', id, reading);
    if (issuer !== undefined) this.#claim('iss', issuer, reading);
    for (const digest of material.flatMap(({ digests }) => digests)) this.#claim('key', digest, reading);
    for (const name of certificateNames) this.#claim('client_cert', name, reading);
  }

  #claim(member: string, value: string, reading: EntryReading): void {
    const before = this.#entries.get(`${member} ${value}`);
    if (before === undefined) this.#entries.set(`${member} ${value}`, reading.number ?? 0);
    else if (before !== reading.number) reading.fail(member, `that of entry ${before} too`);
  }
}

/** One entry on its way to a key. */
class EntryReading {
  readonly problems: KeyProblem[] = [];
  readonly warnings: KeyProblem[] = [];
  /** 1-based; undefined for the one key of `control_key`. */
  readonly number: number | undefined;
  readonly #entry: KeyEntry;
  readonly #readFile: ReadKeyFile;
  #id: string | undefined;

  constructor(entry: KeyEntry, number: number | undefined, readFile: ReadKeyFile) {
    this.#entry = entry;
    this.number = number;
    this.#readFile = readFile;
  }

  read(): ControlKey | undefined {
    const id = this.#text('id', idForm, 'up to 64 letters, digits, `_`, `.`, `@` and `-`, the first a letter or digit');
    this.#id = id;
    for (const name of this.#entry.members.keys())
      if (!memberNames.includes(name)) this.fail(name, `not a member of a key; those are ${memberNames.join(', ')}`);
    if (id === undefined && !this.#has('id')) this.fail('id', 'missing');
    const issuer =
      this.number === undefined ? 'any' : this.#text('iss', /^[^\p{Cc}]{1,255}$/u, 'a text of at most 255 characters');
    const audience = this.#text('aud', /^[^\p{Cc}]{1,255}$/u, 'a text of at most 255 characters');
    const jwks = this.#jwks();
    const material = this.#material(issuer);
    const certificateNames = this.#certificateNames(id ?? '');
    this.#checkTogether(material);
    const actions = this.#actions();
    const channels = this.#channels();
    const rate = this.#rate();
    if (this.problems.length > 0 || id === undefined) return undefined;
    return { id, material, issuer, audience, jwks, grant: { actions, channels }, rate, certificateNames };
  }

  fail(member: string, reason: string): void {
    this.problems.push(this.#say(member, reason));
  }

  #warn(member: string, reason: string): void {
    this.warnings.push(this.#say(member, reason));
  }

  #say(member: string, reason: string): KeyProblem {
    const line = this.#entry.members.get(member)?.line ?? this.#entry.line;
    if (this.number === undefined) return { line, text: `control_key: ${reason}` };
    const id = this.#id === undefined ? '' : ` (${this.#id})`;
    return { line, text: `entry ${this.number}${id}: ${member.slice(0, 100)}: ${reason}` };
  }

  #has(member: string): boolean {
    return this.#entry.members.has(member);
  }

  #value(member: string): unknown {
    return this.#entry.members.get(member)?.value;
  }

  /** A text of this form; undefined where there is none, or a wrong one, of which the value is not shown: it may be a secret. */
  #text(member: string, form: RegExp, expected: string): string | undefined {
    if (!this.#has(member)) return undefined;
    const value = this.#value(member);
    if (typeof value === 'string' && form.test(value)) return value;
    const quoted = typeof value === 'number' || typeof value === 'boolean' ? ', in quotes' : '';
    this.fail(member, `expected ${expected}${quoted}`);
    return undefined;
  }

  /** The text of a key, from its member or from its file. */
  #secret(member: 'key' | 'previous'): string | undefined {
    const fileMember = `${member}_file`;
    if (this.#has(member) && this.#has(fileMember)) this.fail(fileMember, `cannot be given together with ${member}`);
    if (this.#has(member)) return this.#text(member, /^.+$/s, 'a text');
    const path = this.#text(fileMember, /^[^\p{Cc}]+$/u, 'a path');
    return path === undefined ? undefined : this.#contentOf(fileMember, path);
  }

  #contentOf(member: string, path: string): string | undefined {
    try {
      const text = this.#readFile(path);
      if (text.trim() !== '') return text;
      this.fail(member, `${path} is empty`);
    } catch (error) {
      this.fail(member, `cannot read ${path}: ${(error as Error).message}`);
    }
    return undefined;
  }

  #material(issuer: string | undefined): KeyMaterial[] {
    const until = this.#until();
    const material: KeyMaterial[] = [];
    for (const member of ['key', 'previous'] as const) {
      const text = this.#secret(member);
      if (text === undefined) continue;
      const read = this.#materialOf(member, text, issuer);
      if (read === undefined) continue;
      material.push({ ...read, mark: digestOf(text), until: member === 'key' ? Number.POSITIVE_INFINITY : until });
    }
    return material;
  }

  #materialOf(
    member: string,
    text: string,
    issuer: string | undefined,
  ): Pick<KeyMaterial, 'digests' | 'token'> | undefined {
    if (text.startsWith('file:')) {
      this.fail(member, `a path is given as ${this.number === undefined ? 'control_key' : member}_file`);
      return undefined;
    }
    let key: JwtKey;
    try {
      key = readJwtKey(text);
    } catch (error) {
      this.fail(member, (error as Error).message);
      return undefined;
    }
    const { kind, bytes = SHORT_SECRET } = key;
    if (bytes < SHORT_SECRET)
      this.#warn(member, `of ${bytes} bytes, which can be found by trying: take at least ${SHORT_SECRET}`);
    if (issuer !== undefined && issuer !== 'any') return { digests: [], token: key };
    if (kind !== 'secret') {
      // Its public half is known to others: it is nothing to be let in by.
      if (issuer === 'any') return { digests: [], token: key };
      this.fail(member, 'a key that is not a secret verifies tokens: iss is needed, which says whose');
      return undefined;
    }
    const digests = this.#literals(member, text).map(digestOf);
    return digests.length === 0 ? undefined : { digests, token: issuer === 'any' ? key : undefined };
  }

  /** The texts by which a literal key is sent: some clients send `base64:…` as it is, and others the bytes that it stands for. */
  #literals(member: string, text: string): string[] {
    if (text.length > MAX_LITERAL || !literalForm.test(text)) {
      const form = `at most ${MAX_LITERAL} visible ASCII characters, as it is sent in a header field`;
      this.fail(member, `expected ${form}`);
      return [];
    }
    if (!text.startsWith('base64:')) return [text];
    const decoded = Buffer.from(text.slice('base64:'.length), 'base64').toString('latin1');
    return literalForm.test(decoded) ? [text, decoded] : [text];
  }

  #until(): number {
    const hasPrevious = this.#has('previous') || this.#has('previous_file');
    if (hasPrevious && !this.#has('previous_until')) {
      this.fail('previous', 'previous_until is missing: until when it is accepted');
    }
    if (this.#has('previous_until') && !hasPrevious) this.fail('previous_until', 'there is no previous key');
    const text = this.#text('previous_until', timeForm, 'a point in time with its zone, such as 2030-12-31T00:00:00Z');
    if (text === undefined) return 0;
    const time = Date.parse(text);
    if (Number.isNaN(time)) this.fail('previous_until', 'there is no such point in time');
    return time;
  }

  #jwks(): JwksPlace | undefined {
    const url = this.#text('jwks', /^https:\/\/[^\s\p{Cc}]+$/u, 'an https URL');
    if (this.#has('jwks_ca') && !this.#has('jwks')) this.fail('jwks_ca', 'there is no jwks');
    const path = this.#text('jwks_ca', /^[^\p{Cc}]+$/u, 'a path');
    const ca = path === undefined ? undefined : this.#contentOf('jwks_ca', path);
    if (url === undefined) return undefined;
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined) this.fail('jwks', 'expected an https URL');
    // The log names the URL.
    else if (parsed.username !== '' || parsed.password !== '') this.fail('jwks', 'a URL with credentials is not taken');
    else if (ca !== undefined && !ca.includes('BEGIN CERTIFICATE'))
      this.fail('jwks_ca', `${path} holds no certificate`);
    return { url, ca };
  }

  #checkTogether(material: readonly KeyMaterial[]): void {
    const hasKey = this.#has('key') || this.#has('key_file');
    if (this.#has('jwks')) {
      if (hasKey) this.fail('jwks', 'cannot be given together with key: each is another way to verify tokens');
      if (!this.#has('iss')) this.fail('jwks', 'iss is missing: whose tokens they are');
      if (!this.#has('aud'))
        this.#warn('jwks', 'without aud every token of this issuer is accepted, for whatever it was made');
    } else if (!hasKey && !this.#has('client_cert')) {
      this.fail('id', 'there is neither key, key_file, jwks nor client_cert');
    }
    if ((this.#has('previous') || this.#has('previous_file')) && !hasKey)
      this.fail('previous', 'there is no present key');
    if (this.#has('aud') && !this.#has('iss')) this.fail('aud', 'iss is missing: only tokens have an audience');
    if (this.#has('iss') && !this.#has('jwks') && !hasKey)
      this.fail('iss', 'there is no key that its tokens are verified by');
    const [present, previous] = material;
    if (present !== undefined && previous?.digests.some((digest) => present.digests.includes(digest)))
      this.fail('previous', 'the same as key');
  }

  /** A list of texts, or one text. */
  #texts(member: string, expected: string): readonly string[] | undefined {
    if (!this.#has(member)) return undefined;
    const value = this.#value(member);
    const list = typeof value === 'string' ? [value] : value;
    if (Array.isArray(list) && list.length > 0 && list.every((one) => typeof one === 'string')) return list;
    this.fail(member, `expected ${expected}`);
    return undefined;
  }

  #actions(): ReadonlySet<Action> {
    const known = controlActions.join(', ');
    const texts = this.#texts('allow', `a list of ${known}`) ?? ['publish'];
    const unknown = texts.find((text) => !isAction(text));
    if (unknown !== undefined) this.fail('allow', `${shown(unknown)} is none of ${known}`);
    return new Set(texts.filter(isAction));
  }

  #channels(): ChannelPatterns | undefined {
    const texts = this.#texts('channels', 'a list of names, in which * stands for any characters; left out, all');
    if (texts === undefined) return undefined;
    if (texts.length > MAX_PATTERNS) this.fail('channels', `more than ${MAX_PATTERNS} patterns`);
    if (texts.some((text) => text === '' || isLongName(text))) this.fail('channels', 'a pattern is empty or too long');
    return texts.includes('*') ? undefined : new ChannelPatterns(texts);
  }

  #rate(): number | undefined {
    const value = this.#value('rate');
    if (!this.#has('rate')) return undefined;
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_RATE) return value as number;
    this.fail('rate', `expected a whole number from 1 to ${MAX_RATE}: items a second`);
    return undefined;
  }

  #certificateNames(id: string): readonly string[] {
    if (this.#value('client_cert') === true) return [id];
    const names = this.#texts('client_cert', 'true, or names in certificates') ?? (id === '' ? [] : [id]);
    if (names.some((name) => !/^[^\p{Cc}]{1,255}$/u.test(name)))
      this.fail('client_cert', 'a name is empty or too long');
    return names;
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > 50 ? `${text.slice(0, 50)}…` : text);
}
