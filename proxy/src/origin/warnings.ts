/**
 * The lines of the log that say what is wrong with an origin, a route or a client: what failed, where, why, and what to do. How
 * often a line is written is decided by `CauseLog`.
 */
import { CauseLog, type Log } from '@holdfast/control-api';
import {
  filterNames,
  GripError,
  gripFields,
  isKnownFilter,
  type RawHeaders,
  type UnknownMember,
  unknownGripFields,
} from '@holdfast/grip';
import { EdgeError, OriginError, RequestError, type RequestErrorCode } from '../errors.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import type { Clock } from '../runtime/clock.js';
import { guess, legible } from '../runtime/legible.js';
import { adviceOn, type OriginPatience, rootCode } from './advice.js';
import { describeTarget } from './send.js';

/** Where it happened, as far as is known. */
export interface FailureContext {
  /** Of the request, hold or session. */
  readonly id: string | undefined;
  readonly route: Route | undefined;
  readonly target: Target | undefined;
}

/** What can be done about failures of requests that are not an origin's. */
const REQUEST_ADVICE: Partial<Record<RequestErrorCode, string>> = {
  ERR_REQUEST_NO_ROUTE: 'is it spelled right in the routes, or is a line for * missing?',
  ERR_REQUEST_TOO_LARGE_TO_HOLD: 'request_body_max says how long it may be',
  ERR_REQUEST_INSTRUCT_TOO_LARGE: 'instruct_body_max says how long it may be',
  ERR_REQUEST_CROSS_ORIGIN: 'aco_origins names the sites whose scripts are let in',
};

/** Failures that a client brings about by itself, and can repeat at will. */
const OF_CLIENTS: ReadonlySet<string> = new Set<RequestErrorCode | 'ERR_ORIGIN_REQUEST'>([
  'ERR_REQUEST_JSONP',
  'ERR_REQUEST_CROSS_ORIGIN',
  'ERR_REQUEST_EVENTS_FROM_CLIENT',
  'ERR_ORIGIN_REQUEST',
]);

/**
 * Unknown words that the log names for one route; they come from the origin, and so have no end.
 *
 * @limit {} unknown fields, members and filters of one route that the log names
 * @over the others are not named until the routes are loaded again
 */
export const WORDS_MAX = 20;

/** Logs what goes wrong between client and origin. Each error is logged once, by the first caller that reports it. */
export class Troubles {
  readonly #causes: CauseLog;
  readonly #patience: OriginPatience;
  readonly #reported = new WeakSet<Error>();
  readonly #words = new WeakMap<Route, Set<string>>();

  constructor(log: Log, clock: Clock, patience: OriginPatience) {
    this.#causes = new CauseLog(log, clock);
    this.#patience = patience;
  }

  /** One target could not be asked: another may be. */
  targetFailed(context: FailureContext, error: OriginError): void {
    this.failed(context, error, 'origin cannot be asked');
  }

  /** A request, hold or session failed, or broke off. An error that was logged before, or is logged as a fault, is left out. */
  failed(context: FailureContext, error: Error, what = 'request failed'): void {
    const { cause } = error;
    if (this.#reported.has(error) || (cause instanceof Error && this.#reported.has(cause))) return;
    this.#reported.add(error);
    const { code } = error as { code?: string };
    // A fault has a line of its own, with its stack.
    if (code === undefined || code === 'ERR_ORIGIN_FAULT') return;
    const level = OF_CLIENTS.has(code) ? 'info' : 'warn';
    const why = this.#why(error, context.target);
    const root = rootCode(error);
    // What is quoted is left out: it may differ each time.
    const kind = `${what} ${code} ${root} ${error instanceof GripError ? error.message.replace(/['"].*/s, '') : ''}`;
    this.#tell(level, kind, context, `${what}: ${why}`, { code, ...(root !== undefined && { cause: root }) });
  }

  /** Something that an origin or a client sent is of no use, though the connection goes on. `kind` names it, `text` says why. */
  noticed(context: FailureContext, kind: string, text: string): void {
    this.#tell('warn', kind, context, text, {});
  }

  /** An origin's instruct: what of it has no meaning is logged once for its route, until that is loaded anew. */
  instructed(
    context: FailureContext,
    headers: RawHeaders,
    filters: readonly string[],
    unknown: readonly UnknownMember[] = [],
  ): void {
    for (const name of unknownGripFields(headers)) this.#unknown(context, 'field', name, gripFields);
    for (const { where, name, known } of unknown) this.#unknown(context, `member of ${where}`, name, known);
    this.filtersNamed(context, filters);
  }

  /** The same for the filters of channels. */
  filtersNamed(context: FailureContext, filters: readonly string[]): void {
    for (const name of filters) if (!isKnownFilter(name)) this.#unknown(context, 'filter', name, filterNames);
  }

  /** A hold has no channel, and no next link: its client will never get anything. Told once for its route. */
  channelless(context: FailureContext): void {
    this.#once(
      context,
      'channel',
      'the origin holds a client on no channel: without Grip-Channel, or channels in JSON, it will get no item',
    );
  }

  #unknown(context: FailureContext, what: string, name: string, known: readonly string[]): void {
    this.#once(
      context,
      `${what} ${name.slice(0, 100)}`,
      `the origin names a ${what} that means nothing: ${guess(name, known)}`,
    );
  }

  #once(context: FailureContext, word: string, text: string): void {
    const { route } = context;
    if (route === undefined) return;
    const words = this.#words.get(route) ?? new Set();
    this.#words.set(route, words);
    if (words.has(word) || words.size === WORDS_MAX) return;
    words.add(word);
    this.noticed(context, word, text);
  }

  #why(error: Error, target: Target | undefined): string {
    if (error instanceof OriginError) return adviceOn(error, target, this.#patience);
    if (error instanceof GripError) return `the origin's GRIP cannot be understood: ${error.message}`;
    if (error instanceof EdgeError) return `the origin's answer cannot be passed on: ${error.message}`;
    const advice = error instanceof RequestError ? REQUEST_ADVICE[error.code] : undefined;
    return advice === undefined ? error.message : `${error.message.replace(/\.$/, '')}: ${advice}`;
  }

  #tell(level: 'info' | 'warn', kind: string, { id, route, target }: FailureContext, text: string, more: object): void {
    const where = target && describeTarget(target);
    const at = route === undefined ? undefined : (route.id ?? route.key);
    const fields = { id, route: at, target: where, ...more };
    this.#causes[level](`${kind}\n${at}\n${where}`, fields, legible(text));
  }
}
