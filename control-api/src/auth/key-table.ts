/** The keys of the control API as they are configured, and finding one of them. */
import type { JwtKey } from '@holdfast/grip';
import { isDigest, knownDigest } from './digest.js';
import type { JwksPlace } from './jwks.js';
import type { Grant } from './rights.js';

/** What a key is given as: a credential of its own, or the key that signs tokens. Never to be shown. */
export interface KeyMaterial {
  /** Digests (`digestOf`) of the texts that stand for it when it is sent itself; none where only tokens count. */
  readonly digests: readonly string[];
  /** Digest of its text: by it the same key is found after a reload. */
  readonly mark: string;
  /** Undefined where it is no key for tokens. */
  readonly token: JwtKey | undefined;
  /** Until when it is accepted, in ms since the epoch; infinite for the present key. */
  readonly until: number;
}

/** A key, checked. */
export interface ControlKey {
  /** By which logs and metrics name it. */
  readonly id: string;
  /** The present key, and the one before it while that is accepted. */
  readonly material: readonly KeyMaterial[];
  /** Of its tokens; undefined where it has none, `any` where it is not looked at. */
  readonly issuer: string | 'any' | undefined;
  readonly audience: string | undefined;
  readonly jwks: JwksPlace | undefined;
  readonly grant: Grant;
  /** Items a second; undefined: without limit. */
  readonly rate: number | undefined;
  /** Subjects and alternative names of client certificates that stand for it. */
  readonly certificateNames: readonly string[];
}

/** A key that was found by its literal text. */
export interface LiteralMatch {
  readonly key: ControlKey;
  readonly material: KeyMaterial;
  readonly digest: Buffer;
}

/** All keys at one moment; replaced as a whole. */
export class KeyTable {
  readonly keys: readonly ControlKey[];
  readonly ids: ReadonlySet<string>;
  readonly #byId = new Map<string, ControlKey>();
  /** The digests are salted, so that the time of a look-up shows nothing of a key that its sender does not have. */
  readonly #literals = new Map<string, LiteralMatch>();
  readonly #issuers = new Map<string, ControlKey>();
  readonly #names = new Map<string, ControlKey>();
  readonly #anyIssuer: ControlKey | undefined;

  constructor(keys: readonly ControlKey[]) {
    this.keys = keys;
    this.ids = new Set(keys.map(({ id }) => id));
    this.#anyIssuer = keys.find(({ issuer }) => issuer === 'any');
    for (const key of keys) {
      this.#byId.set(key.id, key);
      if (key.issuer !== undefined && key.issuer !== 'any') this.#issuers.set(key.issuer, key);
      for (const material of key.material)
        for (const digest of material.digests) {
          this.#literals.set(digest, { key, material, digest: knownDigest(digest) });
        }
      for (const name of key.certificateNames) this.#names.set(name, key);
    }
  }

  /** The key whose text has this digest, at this moment in ms since the epoch. */
  literal(digest: string, now: number): LiteralMatch | undefined {
    const match = this.#literals.get(digest);
    return match !== undefined && isDigest(match.digest, digest) && now < match.material.until ? match : undefined;
  }

  /** The key with this id. */
  key(id: string): ControlKey | undefined {
    return this.#byId.get(id);
  }

  /** The key that verifies the tokens of an issuer. */
  issuer(issuer: unknown): ControlKey | undefined {
    return (typeof issuer === 'string' ? this.#issuers.get(issuer) : undefined) ?? this.#anyIssuer;
  }

  /**
   * The key that a client certificate stands for, by the names of its subject (the common name) and its alternative names, each
   * as it is written there, without `DNS:` and the like. Undefined where no key has any of them, and where two keys have one.
   */
  named(names: readonly string[]): ControlKey | undefined {
    const found = new Set(names.map((name) => this.#names.get(name)).filter((key) => key !== undefined));
    return found.size === 1 ? [...found][0] : undefined;
  }
}
