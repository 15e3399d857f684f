/** One key of the control API, as it is configured. */
import type { JwtKey } from '@holdfast/grip';
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
