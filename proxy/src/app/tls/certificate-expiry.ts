/** Until when the certificates of TLS listeners are valid, for the metrics. */
import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CERTIFICATES_CHECKED } from './certificates.js';

/** How long what was seen of the directory counts, in ms. */
const LOOK_MS = 30_000;

interface Seen {
  readonly stamp: string;
  /** In seconds since the epoch. */
  readonly notAfter: number;
}

/** The certificates of a directory, as many as are checked at the start; a file is read again when it has changed. */
export class CertificateExpiry {
  readonly #directory: string;
  readonly #now: () => number;
  #seen = new Map<string, Seen>();
  #looked = Number.NEGATIVE_INFINITY;

  /** `now` is in ms, of a clock that is never set. */
  constructor(directory: string, now: () => number = () => performance.now()) {
    this.#directory = directory;
    this.#now = now;
  }

  /** By what the names of their files begin with. Files that cannot be read, or are no certificate, are left out. */
  async rows(): Promise<(readonly [labels: { readonly name: string }, notAfter: number])[]> {
    if (this.#now() - this.#looked >= LOOK_MS) {
      this.#looked = this.#now();
      await this.#look();
    }
    return [...this.#seen].map(([name, { notAfter }]) => [{ name }, notAfter] as const);
  }

  async #look(): Promise<void> {
    const files = await readdir(this.#directory).catch(() => []);
    const seen = new Map<string, Seen>();
    for (const file of files.filter((name) => name.endsWith('.crt')).slice(0, CERTIFICATES_CHECKED)) {
      const name = file.slice(0, -'.crt'.length);
      const found = await this.#read(join(this.#directory, file), this.#seen.get(name)).catch(() => undefined);
      if (found !== undefined) seen.set(name, found);
    }
    this.#seen = seen;
  }

  async #read(path: string, before: Seen | undefined): Promise<Seen> {
    const { mtimeMs, size, ino } = await stat(path);
    const stamp = `${mtimeMs}/${size}/${ino}`;
    if (before?.stamp === stamp) return before;
    const { validTo } = new X509Certificate(await readFile(path));
    return { stamp, notAfter: Date.parse(validTo) / 1_000 };
  }
}
