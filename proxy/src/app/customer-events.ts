/** The composition of the events that the customer's own system is sent: made of the configuration, by the process that has the backplane. */
import {
  type Containment,
  type CustomerEvent,
  CustomerEvents,
  type EventSink,
  type EventType,
  HttpReceiver,
  isEventType,
  OccupancyShare,
  Outbox,
  readEventKeys,
} from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import { guardedClock } from '../runtime/clock.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { ClusterAccess } from './backplane.js';

/** Types that are sent; none without a URL. */
function typesOf({ eventsUrl, events }: Pick<Config, 'eventsUrl' | 'events'>): readonly EventType[] {
  return eventsUrl === undefined ? [] : events.filter(isEventType);
}

/** Makes them, and nothing is sent yet; undefined where there is nobody to send them to. `node` is the id of this node. */
export function makeCustomerEvents(
  config: Config,
  node: string,
  access: Pick<ClusterAccess, 'occupancy'>,
  log: RootLog,
  metrics: Metrics,
  faults: Containment,
): CustomerEvents | undefined {
  const { eventsUrl: url, eventsKey, eventsChannels, eventsVacatedDelay, eventsBatchMax, eventsBatchWait } = config;
  if (url === undefined || eventsKey === undefined) return undefined;
  const clock = guardedClock(faults);
  const outbox = new Outbox({
    receiver: new HttpReceiver({ url, keys: readEventKeys(eventsKey), clock }),
    batchMax: eventsBatchMax,
    batchWait: eventsBatchWait,
    clock,
    random: Math.random,
    counts: metrics.events,
    log: log.child('events'),
    faults,
  });
  metrics.events.observe(() => outbox.waiting);
  return new CustomerEvents({
    types: typesOf(config),
    channels: eventsChannels,
    node,
    outbox,
    channelCounts: access.occupancy('channels', eventsVacatedDelay),
    userCounts: access.occupancy('users', eventsVacatedDelay),
    clock,
  });
}

/** What a worker reports to its primary: an event, or that a user has one connection more (`1`), or one fewer (`-1`). */
export type WorkerReport = CustomerEvent | readonly [user: string, change: 1 | -1];

/**
 * What a worker's data plane hands its events to; undefined where nobody wants any. `post` sends the reports of a turn to the primary; it
 * may leave out events where these are too many, but no changes of users.
 */
export function workerEvents(
  config: Pick<Config, 'eventsUrl' | 'events'>,
  post: (reports: readonly WorkerReport[]) => void,
): EventSink | undefined {
  const types = new Set(typesOf(config));
  if (types.size === 0) return undefined;
  let waiting: WorkerReport[] = [];
  const report = (one: WorkerReport) => {
    // Thousands of connections may end in one turn.
    if (waiting.push(one) > 1) return;
    setImmediate(() => {
      const reports = waiting;
      waiting = [];
      post(reports);
    });
  };
  const users = { enter: (user: string) => report([user, 1]), leave: (user: string) => report([user, -1]) };
  const countsUsers = types.has('user_online') || types.has('user_offline');
  return { wants: (type) => types.has(type), report, users: countsUsers ? users : undefined };
}

/** The primary's end for one worker: what that had counted leaves with it. */
export class WorkerReports {
  readonly #sink: EventSink | undefined;
  readonly #users: OccupancyShare | undefined;

  constructor(sink: EventSink | undefined) {
    this.#sink = sink;
    this.#users = sink?.users && new OccupancyShare(sink.users);
  }

  take(reports: readonly WorkerReport[]): void {
    for (const report of reports) {
      if (!isChange(report)) this.#sink?.report(report);
      else if (report[1] === 1) this.#users?.enter(report[0], '');
      else this.#users?.leave(report[0], '');
    }
  }

  close(): void {
    this.#users?.close();
  }
}

function isChange(report: WorkerReport): report is readonly [user: string, change: 1 | -1] {
  return Array.isArray(report);
}
