/** The items of one XMPP client: filtered, addressed to it, and handed to the connection of all. */
import { formatStanza, GripError, type XmppStanzaFormat } from '@holdfast/grip';
import { type Delivery, StanzaPiece } from '../channels/delivery.js';
import type { SubscriptionList } from '../channels/subscription-list.js';
import { type ActionFormat, ItemPipeline, type ItemReceiver, type SendFormat } from '../delivery/pipeline.js';
import { type LinkScope, scopeOf } from '../links/link-scope.js';
import { isOwnAddress } from './address.js';
import { requestOf, type XmppClient, type XmppSubscriberDeps } from './client.js';

/** The subscriber. */
export interface StanzaReceiver extends ItemReceiver {
  readonly client: XmppClient;
  readonly subscriptions: SubscriptionList;
  /** An item says that the subscription is over. */
  closedByItem(): void;
}

/**
 * The connection to the server is shared, and so is what waits for it: no client by itself is slow. While more waits than may, items
 * are dropped, whatever `slow_client_policy` says.
 */
export class StanzaWriter extends ItemPipeline<XmppStanzaFormat, StanzaPiece> {
  protected readonly receiver: StanzaReceiver;
  protected readonly deps: XmppSubscriberDeps;
  #lost = 0;

  constructor(receiver: StanzaReceiver, deps: XmppSubscriberDeps) {
    super();
    this.receiver = receiver;
    this.deps = deps;
  }

  override get dropped(): number {
    return this.#lost;
  }

  protected get kind(): 'xmpp' {
    return 'xmpp';
  }

  protected get noun(): string {
    return 'XMPP subscription';
  }

  protected get needsAll(): boolean {
    return false;
  }

  protected get list(): SubscriptionList {
    return this.receiver.subscriptions;
  }

  protected get scope(): LinkScope {
    const { client } = this.receiver;
    return scopeOf(requestOf(client), client.route, { secure: false, trusted: false });
  }

  protected waitingBefore(): number {
    return 0;
  }

  protected encode(
    delivery: Delivery,
    _format: SendFormat<XmppStanzaFormat>,
    own: Buffer | undefined,
  ): StanzaPiece | undefined {
    const { outlet, subscriber } = this.deps;
    if (outlet.hasRoom) return own === undefined ? delivery.stanza : new StanzaPiece(own);
    subscriber.events.itemDropped('xmpp', 'slow-client');
    if (this.#lost++ === 0)
      subscriber.log.warn(
        { id: this.receiver.id, waiting: outlet.waiting },
        'XMPP server slow or away: dropping items',
      );
    return undefined;
  }

  protected override refusal(format: XmppStanzaFormat, own: Buffer): string | undefined {
    if (format.action !== 'send') return undefined;
    try {
      new StanzaPiece(own);
      return undefined;
    } catch (error) {
      if (!(error instanceof GripError)) throw error;
      return `filter error: it made what is no stanza: ${error.message}`;
    }
  }

  protected write({ stanza }: StanzaPiece): void {
    const { outlet } = this.deps;
    const { from, to } = this.receiver.client;
    const named = stanza.from !== undefined && isOwnAddress(stanza.from, outlet.domain) ? stanza.from : to.full;
    outlet.send(formatStanza(stanza, named, from.full));
  }

  protected act(format: ActionFormat<XmppStanzaFormat>): void {
    if (format.action === 'close') this.receiver.closedByItem();
  }
}
