/** From the text of an option or of a routes line to a key; what a key is, and whether it can be used, says `parseSigKey`. */
import { resolve } from 'node:path';
import { parseSigKey, type SigKey, type SigKeyUse } from '@holdfast/grip';
import { readWhole, SECRET_FILE_MAX } from '../files/read-file.js';

/** Reads keys, each text once: keys of the same text are the same object, so that what is signed with them is shared too. */
export class KeyReader {
  /** Absolute paths of the files that were read. */
  readonly files = new Set<string>();
  readonly #baseDir: string;
  readonly #readFile: (path: string) => Buffer;
  readonly #keys = new Map<string, SigKey | undefined>();

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
