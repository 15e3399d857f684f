/** An XMPP client at an address of ours: who it is, and what everything that is done for one is given. */
import type { PipelineDeps } from '../delivery/pipeline.js';
import type { ClientRequest } from '../edge/port.js';
import type { Route } from '../routes/route.js';
import type { SessionEvents } from '../sessions/session-deps.js';
import type { Address } from './address.js';

/** Who it is. */
export interface XmppClient {
  /** Of the log. */
  readonly id: string;
  /** Names it to the origin for as long as it is subscribed. */
  readonly connectionId: string;
  /** The client's address, as its stanzas come from it. */
  readonly from: Address;
  /** The address of ours that it wrote to, from which it gets its items. */
  readonly to: Address;
  readonly route: Route;
  readonly path: string;
}

/** The connection to the server, which all clients share. */
export interface StanzaOutlet {
  /** Domain of the component: what is sent comes from there. */
  readonly domain: string;
  /** Whether more may wait for the server. */
  readonly hasRoom: boolean;
  /** Bytes that wait for the server, those for other clients included. */
  readonly waiting: number;
  /** Sends a stanza, now or when the server is there again; false: it is dropped. */
  send(xml: string): boolean;
}

/** Given to every subscriber; the same for all. */
export interface XmppSubscriberDeps extends PipelineDeps {
  readonly outlet: StanzaOutlet;
  readonly connectionSubscriptionMax: number;
  readonly ended: SessionEvents['sessionEnded'];
  /** Called once, at the end. */
  readonly left: (client: XmppClient) => void;
}

/** How the client's stanzas look to the log, and to where links of the origin lead from. */
export function requestOf({ id, path, to, from }: XmppClient): ClientRequest {
  return {
    id,
    method: 'POST',
    path,
    host: to.domain,
    version: '',
    headers: [],
    secure: false,
    clientAddress: from.full,
    body: undefined,
  };
}
