/** Reading the files and keys that a configuration names: up to a limit, so that a device is refused before it fills memory. */
import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { type JwtKey, parseSigKey, readJwtKey, type SigKey, type SigKeyUse } from '@holdfast/grip';

/**
 * Bytes of a configuration file, and of each one that it includes; with all options in it one has some thousands.
 *
 * @limit {MiB} of a configuration file
 * @over refused
 */
export const CONFIG_FILE_MAX = 1024 * 1024;

/**
 * Bytes of a file that holds a key or another secret; the longest RSA keys in PEM have some thousands.
 *
 * @limit {KiB} of a file with a key or secret
 * @over refused
 */
export const SECRET_FILE_MAX = 64 * 1024;

/**
 * Bytes of a file with certificates; all authorities that a system trusts come to some hundred thousand.
 *
 * @limit {MiB} of a file with certificates: of authorities, or for Redis
 * @over refused
 */
export const PEM_FILE_MAX = 4 * 1024 * 1024;

/**
 * Bytes of a routes file; half a million routes.
 *
 * @limit {MiB} of a routes file
 * @over refused
 */
export const ROUTES_FILE_MAX = 64 * 1024 * 1024;

const CHUNK = 65_536;

/** The whole file. Throws as node:fs does, and a RangeError that says so beyond `max` bytes. Pipes are read to their end. */
export function readWhole(path: string, max: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let size = 0; ; ) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const read = readSync(file, chunk);
      if (read === 0) return Buffer.concat(chunks);
      size += read;
      if (size > max) throw new RangeError(`larger than ${max} bytes`);
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
}

/** Why a file could not be read, for the end of an error line: the system's code, if it has one. */
export function whyUnread(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

/** Reads keys, each text once: keys of the same text are the same object, so that what is signed with them is shared too. */
export class KeyReader {
  /** Absolute paths of the files that were read. */
  readonly files = new Set<string>();
  readonly #baseDir: string;
  readonly #readFile: (path: string) => Buffer;
  readonly #keys = new Map<string, SigKey | undefined>();

  /** For tokens of subscribers: a text as `readJwtKey` takes it, or `file:` and a path; and certificates. */
  readonly tokenKeys = {
    key: (text: string): JwtKey => {
      if (!text.startsWith('file:')) return readJwtKey(text);
      return readJwtKey(
        this.#file(text.slice('file:'.length))
          .toString('utf8')
          .replace(/\r?\n$/, ''),
      );
    },
    certificates: (path: string): string => this.#readFile(resolve(this.#baseDir, path)).toString('latin1'),
  };

  /** Relative paths are relative to `baseDir`. */
  constructor(baseDir: string, readFile = (path: string) => readWhole(path, SECRET_FILE_MAX)) {
    this.#baseDir = baseDir;
    this.#readFile = readFile;
  }

  /** @throws GripError ERR_GRIP_SIG_KEY when the key cannot be read, or cannot do what it is for */
  read(text: string, use: SigKeyUse): SigKey | undefined {
    const id = `${use} ${text}`;
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    const key = parseSigKey(text, (path) => this.#file(path), use);
    this.#keys.set(id, key);
    return key;
  }

  #file(path: string): Buffer {
    const absolute = resolve(this.#baseDir, path);
    const content = this.#readFile(absolute);
    this.files.add(absolute);
    return content;
  }
}
