/**
 * Whether a node is given the time that its end takes. A process cannot find out how long systemd, Docker or Kubernetes wait between
 * SIGTERM and SIGKILL: the variable `HOLDFAST_STOP_TIMEOUT` says it, and has no other use.
 */
import { LAST_CALLBACKS_MS, LAST_EVENTS_MS } from '@holdfast/control-api';
import { legibleValue } from '../../runtime/legible.js';
import { parseDuration } from '../parse-option.js';
import { STOP_TIMEOUT } from '../sources.js';
import type { Options } from '../table.js';

/** What the end of a node takes at most beside `shutdown_delay` and `shutdown_window` where no request is under way, in ms. */
const END_MS = 6_000;

/** Longer than any: no limit, as systemd writes it. */
const ENDLESS = 'infinity';

const seconds = (ms: number) => `${ms / 1_000} s`;

/** What is doubtful about the stop time-out in this environment: one line, or none. */
export function stopTimeoutWarnings(
  env: Readonly<Record<string, string | undefined>>,
  options: Pick<Options, 'shutdownDelay' | 'shutdownWindow' | 'shutdownRequests'> &
    Partial<Pick<Options, 'eventsUrl' | 'callbacks'>>,
): readonly string[] {
  const text = env[STOP_TIMEOUT];
  if (text === undefined || text === '' || text === ENDLESS) return [];
  const given = parseDuration(text, 's');
  if (given === undefined)
    return [
      `${STOP_TIMEOUT}: expected a duration such as 45, 45s or ${ENDLESS}, got ${legibleValue(text)}; it is not checked`,
    ];
  const { shutdownDelay: delay, shutdownWindow: window, shutdownRequests: requests } = options;
  const end =
    END_MS +
    (options.eventsUrl === undefined ? 0 : LAST_EVENTS_MS) +
    (options.callbacks === true ? LAST_CALLBACKS_MS : 0);
  const drain = delay + window + end;
  const has = given * 1_000;
  if (has < drain)
    return [
      `${STOP_TIMEOUT}: ${seconds(has)} are too short: shutdown_delay (${seconds(delay)}), shutdown_window (${seconds(window)}) and ${seconds(end)} for the end take ${seconds(drain)}, so that the node is killed before its drain is over`,
    ];
  if (has < drain + requests)
    return [
      `${STOP_TIMEOUT}: ${seconds(has)} leave requests that are under way less than shutdown_requests (${seconds(requests)}) after the drain, which takes ${seconds(drain)}: they may be cut when the node is killed`,
    ];
  return [];
}
