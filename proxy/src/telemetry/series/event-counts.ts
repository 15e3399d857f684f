/** What is counted of the events that the customer's own system is sent, by the process that sends them. */
import { type EventCounts, type EventDropReason, type EventType, eventTypes } from '@holdfast/control-api';
import type { Series } from './series.js';

/** What takes the counts, and is given how many events wait, by the process that has them. */
export interface ObservedEventCounts extends EventCounts {
  observe(waiting: () => number): void;
}

/** Makes the series. */
export function eventCounts(series: Series): ObservedEventCounts {
  let waiting = () => 0;
  const sent = Object.fromEntries(eventTypes.map((type) => [type, 0])) as Record<EventType, number>;
  const dropped: Record<EventDropReason, number> = { full: 0, refused: 0, 'given-up': 0, stopped: 0, shutdown: 0 };
  const posts = { taken: 0, refused: 0, failed: 0 };
  series.tally('events_sent_total', 'Events that events_url has taken, by type.', 'event', sent);
  series.tally('events_dropped_total', 'Events that are never sent, by reason.', 'reason', dropped);
  series.tally('events_posts_total', 'Posts to events_url, by how they ended.', 'result', posts);
  series.gauge('events_waiting', 'Events that wait to be sent to events_url.', () => waiting());
  return {
    eventsSent: (type, count) => {
      sent[type] += count;
    },
    eventsDropped: (reason, count) => {
      dropped[reason] += count;
    },
    eventsPosted: (result) => {
      posts[result]++;
    },
    observe: (read) => {
      waiting = read;
    },
  };
}
