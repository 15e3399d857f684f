/** A caller that has shown a key: what it may do, and how much of it. */
import type { JwtClaims } from '@holdfast/grip';
import { type Answer, forbiddenChannel, tooManyItems } from '../http/answer.js';
import type { Principal, Scope } from '../http/router.js';
import type { ControlKey } from './key-table.js';
import type { RateRefusal } from './rates.js';
import { type Grant, Rights } from './rights.js';

/** Characters of a claim that are logged. */
const MAX_CLAIM = 100;

/** What a caller is made of. */
export interface PrincipalOptions {
  readonly key: ControlKey;
  /** When its credential ends, in ms since the epoch. */
  readonly until: number;
  /** What has let it in: the mark of the key's material, the URL of its key set, or nothing for a certificate. */
  readonly mark: string | undefined;
  /** Of its token. */
  readonly claims?: JwtClaims;
  /** What its token takes of the key's rights; left out, all. */
  readonly details?: readonly Grant[] | undefined;
  readonly node: CallerPort;
}

/** What a caller uses of the node. */
export interface CallerPort {
  /** Takes items off the rate of a key. */
  spend(key: ControlKey, items: number): RateRefusal | undefined;
  /** The key with this id now, if it is one that this mark lets in, and its credential lasts. */
  current(id: string, mark: string | undefined, until: number): ControlKey | undefined;
}

/** See the head of the file. The same object for all requests with the same credential. */
export class KeyPrincipal implements Principal {
  readonly name: string;
  readonly key: ControlKey;
  readonly until: number;
  readonly described: Readonly<Record<string, string>>;
  readonly #rights: Rights;
  readonly #mark: string | undefined;
  readonly #details: readonly Grant[] | undefined;
  readonly #node: CallerPort;

  constructor({ key, until, mark, claims, details, node }: PrincipalOptions) {
    this.name = key.id;
    this.key = key;
    this.until = until;
    this.#rights = new Rights(key.grant, details);
    this.#mark = mark;
    this.#details = details;
    this.described = describe(claims);
    this.#node = node;
  }

  allows(scope: Scope): boolean {
    return scope === 'none' || this.#rights.allows(scope);
  }

  isUnlimited(scope: Scope): boolean {
    return scope === 'none' || this.#rights.isUnlimited(scope);
  }

  refuseChannel(scope: Scope, channel: string): Answer | undefined {
    return scope === 'none' || this.#rights.covers(scope, channel) ? undefined : forbiddenChannel(channel);
  }

  refuseItems(items: readonly { readonly channel: string }[]): Answer | undefined {
    if (!this.#rights.isUnlimited('publish'))
      for (const { channel } of items) if (!this.#rights.covers('publish', channel)) return forbiddenChannel(channel);
    if (this.key.rate === undefined) return undefined;
    const refusal = this.#node.spend(this.key, items.length);
    return refusal && tooManyItems(refusal, items.length);
  }

  mayStill(scope: Scope, channel: string): boolean {
    const key = this.#node.current(this.name, this.#mark, this.until);
    return key !== undefined && (scope === 'none' || new Rights(key.grant, this.#details).covers(scope, channel));
  }
}

/** Of its claims the others are forgotten: many principals are remembered. */
function describe({ sub, jti }: JwtClaims = {}): Readonly<Record<string, string>> {
  return {
    ...(typeof sub === 'string' && { sub: sub.slice(0, MAX_CLAIM) }),
    ...(typeof jti === 'string' && { jti: jti.slice(0, MAX_CLAIM) }),
  };
}
