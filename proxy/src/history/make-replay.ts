/** Joins what serves holds and sessions from a history, and finds out whether any route wants one. */
import { CauseLog, type History, type Log } from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import type { ChannelPositions } from '../delivery/channel-positions.js';
import type { RouteTable } from '../routes/route-table.js';
import type { Clock } from '../runtime/clock.js';
import { HistoryReader } from './reader.js';
import type { ReplayEvents, ReplayParts } from './replay-parts.js';
import { ResumeTokens, resumeKey } from './tokens.js';

/** What it is made from. */
export interface ReplayMaking {
  readonly history: History;
  readonly positions: Pick<ChannelPositions, 'latest'>;
  readonly clock: Clock;
  readonly events: ReplayEvents;
  readonly log: Log;
}

const OTHER_KEY =
  'it was signed with another key: give all nodes the same resume_key (or sig_key), and keep it over restarts';

/** Joins them, for one process. */
export function makeReplay(
  config: Pick<Config, 'historyReplay' | 'resumeKey' | 'sigKey'>,
  making: ReplayMaking,
): ReplayParts {
  const { positions, events } = making;
  const ignored = new CauseLog(making.log, making.clock);
  return {
    reader: new HistoryReader(making),
    tokens: new ResumeTokens(resumeKey(config.resumeKey, config.sigKey)),
    events,
    isOn: (route) => route.history ?? config.historyReplay,
    tokenIgnored: (isOfOtherKey) => {
      const why = isOfOtherKey ? OTHER_KEY : 'it is no token of Holdfast, or not a whole one';
      ignored.warn(why, {}, `resume token ignored, so its client does not get what it missed: ${why}`);
    },
    latest: (channel) => positions.latest(channel),
  };
}

/** Whether any route is served from the history, so that one has to be kept. Cheap: a table is looked through once. */
export function wantsHistory(config: Pick<Config, 'historyReplay'>, table: () => RouteTable): () => boolean {
  let known: RouteTable | undefined;
  let wanted = false;
  return () => {
    const current = table();
    if (current !== known) {
      known = current;
      wanted = current.routes.some(({ history, resume }) => resume || (history ?? config.historyReplay));
    }
    return wanted;
  };
}
