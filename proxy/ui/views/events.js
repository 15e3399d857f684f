/** The events that this node sends to the customer's own system, as its counters have them. */
import { metricsText } from '../api.js';
import { count, el, table, tile } from '../dom.js';
import { Reading } from '../metrics.js';
import { every } from '../poll.js';

/** @type {import('../main.js').View} */
export async function events(main, { signal }) {
  const shown = el('div');
  main.append(el('h2', {}, 'Events to your own system'), shown);
  await every(2_000, main, signal, async () => {
    const now = new Reading(await metricsText(signal), Date.now());
    const rows = (/** @type {string} */ name, /** @type {string} */ label) => [...now.by(name, label)];
    const isQuiet = now.sum('events_posts_total') + now.sum('events_waiting') === 0;
    const [waiting, taken, dropped] = ['events_waiting', 'events_sent_total', 'events_dropped_total'].map((name) =>
      now.sum(name),
    );
    shown.replaceChildren(
      el(
        'div',
        { class: 'tiles' },
        tile(count(waiting ?? 0), 'wait to be sent'),
        tile(count(taken ?? 0), 'taken'),
        tile(count(dropped ?? 0), 'never sent', (dropped ?? 0) > 0 ? 'bad' : ''),
      ),
      ...(isQuiet
        ? [el('p', { class: 'note' }, 'Nothing was posted: events_url is not set, or nothing has happened.')]
        : []),
      el('h2', {}, 'Taken, by type'),
      table(['event', 'how many'], rows('events_sent_total', 'event')),
      el('h2', {}, 'Posts, by result'),
      table(['result', 'how many'], rows('events_posts_total', 'result')),
      el('h2', {}, 'Never sent, by reason'),
      table(['reason', 'how many'], rows('events_dropped_total', 'reason')),
    );
  });
}
