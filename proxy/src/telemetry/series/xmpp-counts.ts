/** What is counted of XMPP stanzas. Has no series where there is no component. */
import type { StanzaEvents, StanzaRefusal } from '../../xmpp/dialogue.js';
import type { Series } from './series.js';

const NONE = { message: 0, presence: 0, iq: 0 };

/** Counts of one component. */
export class XmppCounts implements StanzaEvents {
  readonly #received = { ...NONE };
  readonly #answered = { ...NONE };
  readonly #refused;

  /** `isOnline` says whether the server has the component. */
  constructor(series: Series, isOnline: () => boolean) {
    series.gauge('xmpp_online', '1 while the XMPP server has taken the component from this node; else 0.', () =>
      Number(isOnline()),
    );
    series.tally('xmpp_stanzas_received_total', 'XMPP stanzas that came, by their name.', 'name', this.#received);
    series.tally('xmpp_stanzas_answered_total', 'XMPP stanzas of answers of origins.', 'name', this.#answered);
    this.#refused = series.counter(
      'xmpp_stanzas_refused_total',
      'XMPP stanzas that were not served, by why.',
      'reason',
    );
  }

  stanzaReceived(name: keyof typeof NONE): void {
    this.#received[name]++;
  }

  stanzaAnswered(name: keyof typeof NONE): void {
    this.#answered[name]++;
  }

  stanzaRefused(reason: StanzaRefusal): void {
    this.#refused.inc({ reason });
  }
}
