/** One stanza and its origin: what is asked, what the answer makes of the client, and what goes back. */
import { formatStanza, GripError, type Stanza } from '@holdfast/grip';
import { waitForLive } from '../channels/subscriber-deps.js';
import { OriginError } from '../errors.js';
import type { Target } from '../routes/target.js';
import { setsMeta } from '../sessions/over-http/events.js';
import { isOwnAddress, parseAddress } from './address.js';
import { isSuccess, readAnswer, type StanzaAnswer, type WholeAnswer } from './answer.js';
import type { XmppClient, XmppSubscriberDeps } from './client.js';
import type { XmppClients } from './clients.js';
import { type Condition, conditionOf, errorFor, isQuery } from './errors.js';
import { StanzaExchange, type StanzaExchangeDeps, type StanzaExchangeOwner } from './exchange.js';
import { XmppSubscriber } from './subscriber.js';
import type { Arrival } from './turns.js';

/** Counts what becomes of stanzas; implemented by the metrics. */
export interface StanzaEvents {
  /** One has come for the component. */
  stanzaReceived(name: Stanza['name']): void;
  /** One has gone back that an origin has answered with. */
  stanzaAnswered(name: Stanza['name']): void;
  /** One was not served. `why` is from a bounded set. */
  stanzaRefused(why: StanzaRefusal): void;
}

/** Why a stanza was not served. */
export type StanzaRefusal =
  | 'deep'
  | 'long'
  | 'malformed'
  | 'no-route'
  | 'origin-failed'
  | 'origin-refused'
  | 'subscribers'
  | 'waiting';

/** What is needed for all stanzas. */
export interface DialogueDeps {
  readonly clients: XmppClients;
  readonly subscriber: XmppSubscriberDeps;
  readonly exchange: StanzaExchangeDeps;
  readonly events: StanzaEvents;
  /** The domain as a header field has it. */
  readonly host: string;
}

/** One stanza that is being asked about. */
export class Dialogue implements StanzaExchangeOwner {
  readonly #arrival: Arrival;
  readonly #client: XmppClient;
  readonly #deps: DialogueDeps;
  readonly #done: () => void;

  /** `client` is who it is if nobody is known yet; `done` is called at the end, once. */
  constructor(arrival: Arrival, client: XmppClient, deps: DialogueDeps, done: () => void) {
    this.#arrival = arrival;
    this.#client = client;
    this.#deps = deps;
    this.#done = done;
  }

  start(): void {
    const { body, path, route } = this.#arrival;
    const known = this.#arrival.was ?? this.#known;
    const { id, connectionId } = known?.client ?? this.#client;
    const { host, exchange } = this.#deps;
    const about = { id, route, path, host, connectionId, body };
    const kept = { meta: known?.metaFields ?? [], channels: known?.channels ?? [] };
    new StanzaExchange({ ...about, ...kept }, this, exchange).start();
  }

  exchangeAnswered(whole: WholeAnswer, target: Target): void {
    const { head } = whole;
    if (!isSuccess(head)) {
      this.#refuse(conditionOf(head.status), 'origin-refused');
      return;
    }
    let live: Promise<void> | undefined;
    let answer: StanzaAnswer;
    try {
      answer = readAnswer(whole, !this.#arrival.route.noGrip);
      this.#check(answer);
      if (!this.#mayAdd(answer, whole)) {
        this.#refuse('resource-constraint', 'subscribers');
        return;
      }
      live = this.#obey(answer, whole);
    } catch (error) {
      if (!(error instanceof GripError || error instanceof OriginError)) throw error;
      this.#failed(error, target);
      return;
    }
    const { clock, faults } = this.#deps.subscriber.subscriber;
    // A client that has the answer may rely on getting what is published from then on.
    if (live === undefined) this.#send(answer);
    else waitForLive(live, { clock, faults }, () => this.#send(answer), { fault: () => this.#done() });
  }

  exchangeFailed(error: OriginError, target: Target): void {
    const isLate = error.code === 'ERR_ORIGIN_STANZA_LATE' || error.code === 'ERR_ORIGIN_TIMEOUT';
    this.#failed(error, target, isLate ? 'remote-server-timeout' : undefined);
  }

  get #known(): XmppSubscriber | undefined {
    const { from, to } = this.#arrival;
    return this.#deps.clients.find(from, to);
  }

  /** Throws for an address that must not go out. */
  #check({ stanzas }: StanzaAnswer): void {
    const { domain } = this.#deps.subscriber.outlet;
    for (const { from, to } of stanzas) {
      if (from !== undefined && !isOwnAddress(from, domain))
        throw new GripError('ERR_GRIP_STANZA', `a stanza from ${JSON.stringify(from)}, which is none of ${domain}`);
      if (to !== undefined && parseAddress(to) === undefined)
        throw new GripError('ERR_GRIP_STANZA', `a stanza to ${JSON.stringify(to)}, which is no address`);
    }
  }

  /** Whether the answer makes a subscriber of somebody who is none. */
  #makesSubscriber({ channels = [] }: StanzaAnswer, { head }: WholeAnswer): boolean {
    if (!this.#arrival.maySubscribe || this.#known !== undefined) return false;
    return channels.length > 0 || setsMeta(head.headers);
  }

  #mayAdd(answer: StanzaAnswer, whole: WholeAnswer): boolean {
    return !this.#makesSubscriber(answer, whole) || this.#deps.clients.admits(this.#arrival.from);
  }

  #obey(answer: StanzaAnswer, whole: WholeAnswer): Promise<void> | undefined {
    const subscriber = this.#makesSubscriber(answer, whole) ? this.#begin() : this.#known;
    if (subscriber === undefined || !this.#arrival.maySubscribe) return undefined;
    const { channels, meta, expires } = answer;
    try {
      const live = subscriber.obey({ channels, meta, expires, headers: whole.head.headers });
      if (subscriber.isIdle) subscriber.leave('origin-closed');
      return live;
    } catch (error) {
      if (error instanceof GripError) subscriber.end('channel-refused');
      else if (error instanceof OriginError) subscriber.end('meta-limit');
      throw error;
    }
  }

  #begin(): XmppSubscriber {
    const { clients, subscriber: deps } = this.#deps;
    const subscriber = new XmppSubscriber(this.#client, deps);
    clients.add(subscriber);
    subscriber.start();
    return subscriber;
  }

  #send({ stanzas }: StanzaAnswer): void {
    const { stanza: asked, from: client, to: address } = this.#arrival;
    const { events } = this.#deps;
    let isAnswered = !isQuery(asked);
    for (const stanza of stanzas) {
      const { name, from = address.full, to = client.full } = stanza;
      this.#write(formatStanza(stanza, from, to));
      events.stanzaAnswered(name);
      isAnswered ||= name === 'iq' && stanza.id === asked.id && to === client.full;
    }
    // Somebody waits for it (RFC 6120 §8.2.3).
    if (!isAnswered) this.#write(errorFor(asked, address.full, client.full, 'service-unavailable'));
    this.#done();
  }

  #failed(error: GripError | OriginError, target: Target, condition: Condition = 'internal-server-error'): void {
    const { id } = this.#client;
    const { route } = this.#arrival;
    this.#deps.exchange.warnings?.failed({ id, route, target }, error, 'XMPP stanza not answered');
    this.#refuse(condition, 'origin-failed');
  }

  #refuse(condition: Condition, why: StanzaRefusal): void {
    const { stanza, from, to } = this.#arrival;
    this.#deps.events.stanzaRefused(why);
    this.#write(errorFor(stanza, to.full, from.full, condition));
    this.#done();
  }

  #write(xml: string | undefined): void {
    if (xml !== undefined) this.#deps.subscriber.outlet.send(xml);
  }
}
