/** The composition of XMPP, where it is configured: the component of an XMPP server, and the subscriptions of its clients. */
import type { Config } from '../../config/config.js';
import { componentOf } from '../../config/types/xmpp-component.js';
import type { RequestDeps } from '../../request/request-deps.js';
import type { RootLog } from '../../telemetry/log.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { XmppTransport } from '../../xmpp/transport.js';

/** What XMPP is given beside what requests have. */
export interface XmppParts {
  readonly telemetry: Telemetry;
  readonly metrics: Metrics;
  /** What the ids of this process begin with. */
  readonly instance: string;
}

/** Makes the transport; undefined where there is no component. Nothing is connected yet, nor loaded. */
export function composeXmpp(
  { xmppComponent, xmppSecret, xmppSubscribersMax, connectionSubscriptionMax }: Config,
  log: RootLog,
  { holds, forwarder, originOf, warnings, routes, clock }: RequestDeps,
  { telemetry, metrics, instance }: XmppParts,
): XmppTransport | undefined {
  const place = xmppComponent === undefined ? undefined : componentOf(xmppComponent);
  if (place === undefined || xmppSecret === undefined) return undefined;
  const xmppLog = log.child('xmpp');
  const { subscriber, filters, debug } = holds;
  const { faults, random } = subscriber;
  const events = metrics.countXmpp(() => transport.isOnline);
  let stanzas = 0;
  const transport: XmppTransport = new XmppTransport(
    { place, secret: xmppSecret, subscribersMax: xmppSubscribersMax },
    {
      subscriber: { ...subscriber, log: xmppLog },
      filters,
      debug,
      connectionSubscriptionMax,
      ended: telemetry.sessions.sessionEnded,
      exchange: { clock, forwarder, originOf, faults, warnings },
      routes,
      events,
      component: { clock, faults, random, log: xmppLog },
      log: xmppLog,
      nextId: () => `${instance}-x${(++stanzas).toString(36)}`,
    },
  );
  return transport;
}
