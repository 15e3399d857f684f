/** XMPP clients of a node: joins the component, the stanzas that come, and the subscriptions that origins make of them. */
import { randomUUID } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { CauseLog, type Log } from '@holdfast/control-api';
import { GripError, MAX_STANZA_BYTES, parseStanza, type Stanza } from '@holdfast/grip';
import type { ComponentPlace } from '../config/types/xmpp-component.js';
import type { RouteTable } from '../routes/route-table.js';
import { type Address, parseAddress, pathOf } from './address.js';
import type { TooMuch } from './bounded-parser.js';
import type { StanzaOutlet, XmppClient, XmppSubscriberDeps } from './client.js';
import { XmppClients } from './clients.js';
import { Component, type ComponentDeps, type ComponentOwner } from './component.js';
import { type LibraryElement, loadComponentLibrary } from './component-library.js';
import { Dialogue, type DialogueDeps, type StanzaEvents, type StanzaRefusal } from './dialogue.js';
import { type Condition, errorFor } from './errors.js';
import type { StanzaExchangeDeps } from './exchange.js';
import type { XmppSubscriber } from './subscriber.js';
import { type Arrival, StanzaTurns } from './turns.js';

/** What is configured. */
export interface XmppSettings {
  readonly place: ComponentPlace;
  readonly secret: string;
  /** `xmpp_subscribers_max`. */
  readonly subscribersMax: number;
}

/** What the data plane lends. */
export interface XmppTransportDeps extends Omit<XmppSubscriberDeps, 'outlet' | 'left'> {
  readonly exchange: StanzaExchangeDeps;
  readonly routes: () => RouteTable;
  readonly events: StanzaEvents;
  readonly component: ComponentDeps;
  readonly log: Log;
  /** A new id, unique within this node. */
  readonly nextId: () => string;
  /** Replaced in tests. */
  readonly load?: typeof loadComponentLibrary;
}

/** All of XMPP in one process. */
export class XmppTransport implements StanzaOutlet, ComponentOwner {
  readonly #settings: XmppSettings;
  readonly #deps: XmppTransportDeps;
  readonly #dialogues: DialogueDeps;
  readonly #clients: XmppClients;
  readonly #turns: StanzaTurns;
  readonly #causes: CauseLog;
  /** Undefined until the library is loaded. */
  #component: Component | undefined;
  #isStopped = false;

  constructor(settings: XmppSettings, deps: XmppTransportDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#causes = new CauseLog(deps.log, deps.component.clock);
    const clients = new XmppClients(settings.subscribersMax);
    this.#clients = clients;
    const left = (client: XmppClient) => clients.delete(client);
    this.#dialogues = {
      clients,
      subscriber: { ...deps, outlet: this, left },
      exchange: deps.exchange,
      events: deps.events,
      host: domainToASCII(this.domain) || this.domain,
    };
    this.#turns = new StanzaTurns((arrival, done) => this.#ask(arrival, done));
  }

  /** Loads the library, and begins to connect; does not wait for the server. Rejects with a ConfigError without the library. */
  async start(): Promise<void> {
    const { place, secret } = this.#settings;
    const library = await (this.#deps.load ?? loadComponentLibrary)();
    if (this.#isStopped) return;
    this.#component = new Component(place, secret, library, this, this.#deps.component);
    this.#component.start();
  }

  /** Takes no more stanzas, sends what waits, and leaves the server. The subscriptions have been ended before. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#component?.stop();
  }

  get domain(): string {
    return this.#settings.place.domain;
  }

  get isOnline(): boolean {
    return this.#component?.isOnline === true;
  }

  get hasRoom(): boolean {
    return this.#component?.hasRoom === true;
  }

  get waiting(): number {
    return this.#component?.waiting ?? 0;
  }

  send(xml: string): boolean {
    return this.#component?.send(xml) === true;
  }

  received(element: LibraryElement, cut: TooMuch | undefined): void {
    if (this.#isStopped) return;
    const tag = tagOf(element);
    const [from, to] = [parseAddress(tag.from), parseAddress(tag.to)];
    this.#deps.events.stanzaReceived(tag.name);
    if (from === undefined || to?.domain !== this.domain) this.#deps.events.stanzaRefused('malformed');
    else this.#take(element, tag, from, to, cut);
  }

  #take(element: LibraryElement, tag: Stanza, from: Address, to: Address, cut: TooMuch | undefined): void {
    const isBounce = tag.type === 'error' && tag.name !== 'iq';
    const isGone = isBounce || (tag.name === 'presence' && tag.type === 'unavailable');
    const was = isGone ? this.#end(from, to, isBounce) : undefined;
    // Errors that nobody waits for come to an end here.
    if (isBounce && was === undefined) return;
    const refuse = (condition: Condition, why: StanzaRefusal) => this.#refuse(tag, from, to, condition, why);
    const body = cut === undefined ? Buffer.from(element.toString()) : undefined;
    if (body === undefined || body.length > MAX_STANZA_BYTES) {
      refuse('policy-violation', cut ?? 'long');
      return;
    }
    const path = pathOf(to);
    const route = path === undefined ? undefined : this.#deps.routes().matchStanza(this.domain, path);
    if (path === undefined) refuse('jid-malformed', 'malformed');
    else if (route === undefined) {
      const text = `XMPP: no route takes stanzas for ${this.domain}: routes with xmpp=${this.domain} do`;
      this.#causes.warn('no-route', { path }, text);
      refuse('service-unavailable', 'no-route');
    } else {
      const stanza = this.#parse(body);
      if (stanza === undefined) refuse('bad-request', 'malformed');
      else {
        const arrival = { stanza, body, from, to, path, route, maySubscribe: !isGone, was };
        if (!this.#turns.add(arrival)) refuse('resource-constraint', 'waiting');
      }
    }
  }

  /** Strictly: no origin gets XML that the server has let pass and the library has repaired. */
  #parse(body: Buffer): Stanza | undefined {
    try {
      return parseStanza(body, 'ERR_GRIP_STANZA');
    } catch (error) {
      if (!(error instanceof GripError)) throw error;
      this.#deps.log.debug({ err: error }, 'XMPP: a stanza that cannot be used');
      return undefined;
    }
  }

  /** A client has gone, or cannot be reached: its subscription ends at once, whatever of it is still being asked. */
  #end(from: Address, to: Address, isBounce: boolean): XmppSubscriber | undefined {
    this.#turns.left(from, to);
    const subscriber = this.#clients.find(from, to);
    subscriber?.leave(isBounce ? 'bounced' : 'unavailable');
    return subscriber;
  }

  #refuse(stanza: Stanza, from: Address, to: Address, condition: Condition, why: StanzaRefusal): void {
    this.#deps.events.stanzaRefused(why);
    const error = errorFor(stanza, to.full, from.full, condition);
    if (error !== undefined) this.send(error);
  }

  #ask(arrival: Arrival, done: () => void): void {
    const { from, to, path, route } = arrival;
    const client = { id: this.#deps.nextId(), connectionId: randomUUID(), from, to, path, route };
    const { faults } = this.#deps.component;
    faults.run('client', () => new Dialogue(arrival, client, this.#dialogues, done).start(), { fault: done });
  }
}

/** A stanza by its tag, without content: what an answer to it needs. */
function tagOf({ name, attrs: { from, to, id, type } }: LibraryElement): Stanza {
  return { name: name as Stanza['name'], from, to, id, type, attributes: '', inner: '' };
}
