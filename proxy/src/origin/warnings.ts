/**
 * Owns: the lines of the log that say what an origin, a route or a client has got wrong: what failed, where, why, and what to do.
 * Does not own: what clients are told (`fail`), access lines, or how often a line is written (`cause-log`).
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
import { guess, legible } from '../config/checks/legible.js';
import { EdgeError } from '../edge/errors.js';
import { RequestError, type RequestErrorCode } from '../http/errors.js';
import type { Route } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import type { Clock } from '../runtime/clock.js';
import { adviceOn, type OriginPatience, rootCode } from './advice.js';
import { OriginError } from './errors.js';
import { describeTarget } from './failover.js';

/** Where it happened, as far as is known. */
export interface TroubleScene {
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

/** Words without meaning of which the log tells for one route; they are the origin's, and so have no end. */
export const WORDS_MAX = 20;

/** Tells of what goes wrong between client and origin. Each error is told once, by whoever comes first with it. */
export class Troubles {
  readonly #causes: CauseLog;
  readonly #patience: OriginPatience;
  readonly #told = new WeakSet<Error>();
  readonly #words = new WeakMap<Route, Set<string>>();

  constructor(log: Log, clock: Clock, patience: OriginPatience) {
    this.#causes = new CauseLog(log, clock);
    this.#patience = patience;
  }

  /** One target could not be asked: another may be. */
  targetFailed(scene: TroubleScene, error: OriginError): void {
    this.failed(scene, error, 'origin cannot be asked');
  }

  /** A request, hold or session failed, or broke off. Says nothing of what was told already, or is told as a fault. */
  failed(scene: TroubleScene, error: Error, what = 'request failed'): void {
    const { cause } = error;
    if (this.#told.has(error) || (cause instanceof Error && this.#told.has(cause))) return;
    this.#told.add(error);
    const { code } = error as { code?: string };
    // A fault has a line of its own, with its stack.
    if (code === undefined || code === 'ERR_ORIGIN_FAULT') return;
    const level = OF_CLIENTS.has(code) ? 'info' : 'warn';
    const why = this.#why(error, scene.target);
    const root = rootCode(error);
    // What is quoted is left out: it may differ each time.
    const kind = `${what} ${code} ${root} ${error instanceof GripError ? error.message.replace(/['"].*/s, '') : ''}`;
    this.#tell(level, kind, scene, `${what}: ${why}`, { code, ...(root !== undefined && { cause: root }) });
  }

  /** Something that an origin or a client sent is of no use, though the connection goes on. `kind` names it, `text` says why. */
  noticed(scene: TroubleScene, kind: string, text: string): void {
    this.#tell('warn', kind, scene, text, {});
  }

  /** What an origin has said with an instruct: whatever of it means nothing is told once for its route, until that is loaded anew. */
  instructed(
    scene: TroubleScene,
    headers: RawHeaders,
    filters: readonly string[],
    unknown: readonly UnknownMember[] = [],
  ): void {
    for (const name of unknownGripFields(headers)) this.#unknown(scene, 'field', name, gripFields);
    for (const { where, name, known } of unknown) this.#unknown(scene, `member of ${where}`, name, known);
    this.filtersNamed(scene, filters);
  }

  /** The same for the filters of channels. */
  filtersNamed(scene: TroubleScene, filters: readonly string[]): void {
    for (const name of filters) if (!isKnownFilter(name)) this.#unknown(scene, 'filter', name, filterNames);
  }

  /** A hold has no channel, and no next link: its client will never get anything. Told once for its route. */
  channelless(scene: TroubleScene): void {
    this.#once(
      scene,
      'channel',
      'the origin holds a client on no channel: without Grip-Channel, or channels in JSON, it will get no item',
    );
  }

  #unknown(scene: TroubleScene, what: string, name: string, known: readonly string[]): void {
    this.#once(
      scene,
      `${what} ${name.slice(0, 100)}`,
      `the origin names a ${what} that means nothing: ${guess(name, known)}`,
    );
  }

  #once(scene: TroubleScene, word: string, text: string): void {
    const { route } = scene;
    if (route === undefined) return;
    const words = this.#words.get(route) ?? new Set();
    this.#words.set(route, words);
    if (words.has(word) || words.size === WORDS_MAX) return;
    words.add(word);
    this.noticed(scene, word, text);
  }

  #why(error: Error, target: Target | undefined): string {
    if (error instanceof OriginError) return adviceOn(error, target, this.#patience);
    if (error instanceof GripError) return `the origin's GRIP cannot be understood: ${error.message}`;
    if (error instanceof EdgeError) return `the origin's answer cannot be passed on: ${error.message}`;
    const advice = error instanceof RequestError ? REQUEST_ADVICE[error.code] : undefined;
    return advice === undefined ? error.message : `${error.message.replace(/\.$/, '')}: ${advice}`;
  }

  #tell(level: 'info' | 'warn', kind: string, { id, route, target }: TroubleScene, text: string, more: object): void {
    const where = target && describeTarget(target);
    const at = route === undefined ? undefined : (route.id ?? route.key);
    const fields = { id, route: at, target: where, ...more };
    this.#causes[level](`${kind}\n${at}\n${where}`, fields, legible(text));
  }
}
