/** What a caller may do: the rights of its key, or as much of them as its token takes (RFC 9396). */
import type { JwtClaims } from '@holdfast/grip';
import type { Scope } from '../http/router.js';
import { ChannelPatterns } from './channel-patterns.js';

/** What a key may be allowed to do: a scope of routes that somebody has to be allowed. */
export type Action = Exclude<Scope, 'none'>;

/** All actions, in the order of the documentation. */
export const controlActions: readonly Action[] = [
  'publish',
  'recover',
  'view',
  'tap',
  'disconnect',
  'subscribe',
  'metrics',
];

/** Whether a text is the name of an action. */
export function isAction(text: unknown): text is Action {
  return (controlActions as readonly unknown[]).includes(text);
}

/** Actions on channels. */
export interface Grant {
  /** Undefined: all. */
  readonly actions: ReadonlySet<Action> | undefined;
  /** Undefined: all. */
  readonly channels: ChannelPatterns | undefined;
}

/** The type of an authorization detail that is ours. */
export const DETAIL_TYPE = 'urn:holdfast:control';

/**
 * Details of a token, and channels of all of them. A token has to be checked for each publish, and can be written by every holder of a key.
 *
 * @limit {} authorization details of a token, and patterns in all of them
 * @over the token is refused, 401
 */
export const MAX_DETAILS = 100;

/** Rights of a key, and, where a token narrows them, what it takes of them. What is allowed has to be in both. */
export class Rights {
  readonly #key: Grant;
  readonly #details: readonly Grant[] | undefined;

  constructor(key: Grant, details?: readonly Grant[]) {
    this.#key = key;
    this.#details = details;
  }

  /** Whether an action is allowed, on some channels at least. */
  allows(action: Action): boolean {
    if (!hasAction(this.#key, action)) return false;
    return this.#details?.some((detail) => hasAction(detail, action)) ?? true;
  }

  /** Whether it is allowed on all channels. */
  isUnlimited(action: Action): boolean {
    if (!hasAction(this.#key, action) || this.#key.channels !== undefined) return false;
    const isWhole = (detail: Grant) => hasAction(detail, action) && detail.channels === undefined;
    return this.#details?.some(isWhole) ?? true;
  }

  /** Whether it is allowed on a channel. */
  covers(action: Action, channel: string): boolean {
    if (!hasAction(this.#key, action) || !hasChannel(this.#key, channel)) return false;
    return this.#details?.some((detail) => hasAction(detail, action) && hasChannel(detail, channel)) ?? true;
  }
}

function hasAction({ actions }: Grant, action: Action): boolean {
  return actions === undefined || actions.has(action);
}

function hasChannel({ channels }: Grant, channel: string): boolean {
  return channels === undefined || channels.has(channel);
}

/**
 * What `authorization_details` of a token takes of its key's rights: undefined where the token has none, and nothing where none is
 * of our type. A detail with members that are not known here may be meant to say less than those that are: it is a fault, as is
 * everything malformed. The fault is a text for the log.
 */
export function readDetails({ authorization_details: details }: JwtClaims): readonly Grant[] | undefined | string {
  if (details === undefined) return undefined;
  if (!Array.isArray(details)) return 'authorization_details is no list';
  if (details.length > MAX_DETAILS) return `it has more than ${MAX_DETAILS} authorization_details`;
  const grants: Grant[] = [];
  let patterns = 0;
  for (const [i, detail] of (details as readonly unknown[]).entries()) {
    const where = `authorization_details[${i}]`;
    if (typeof detail !== 'object' || detail === null || Array.isArray(detail)) return `${where} is no object`;
    const { type, actions, channels, ...others } = detail as Readonly<Record<string, unknown>>;
    if (typeof type !== 'string') return `${where} has no type`;
    if (type !== DETAIL_TYPE) continue;
    if (Object.keys(others).length > 0) return `${where} has a member that is not known`;
    if (!areTexts(actions)) return `actions of ${where} is no list of texts`;
    if (!areTexts(channels)) return `channels of ${where} is no list of texts`;
    patterns += channels?.length ?? 0;
    if (patterns > MAX_DETAILS) return `its authorization_details have more than ${MAX_DETAILS} channels`;
    grants.push({
      actions: actions && new Set(actions.filter(isAction)),
      channels: channels && new ChannelPatterns(channels),
    });
  }
  return grants;
}

function areTexts(value: unknown): value is readonly string[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
}
