/** Reads what a session's origin says, and carries its control messages out. */
import {
  parseWsControl,
  readOriginMessage,
  type WsControl,
  type WsControlInvalid,
  type WsSubscribe,
} from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Expiring } from '../channels/expiries.js';
import type { SubscriberDeps } from '../channels/subscriber-deps.js';
import type { OriginError } from '../errors.js';
import { refusedChannel } from '../routes/channel-name.js';
import type { Dial, SessionDeps } from './session-deps.js';
import type { SessionWriter } from './session-writer.js';
import { SESSION_META_MAX, type Subscriptions } from './subscriptions.js';

/** A session, as what control messages have an effect on. */
export interface ControlledSession extends Expiring {
  readonly id: string;
  readonly dial: Dial;
  readonly subscriptions: Subscriptions;
  readonly writer: SessionWriter;
  /** The origin leaves, and the client stays. */
  detach(): void;
  /** A subscription was made; `live` is as of `ChannelRegistry.add`. */
  watch(live: Promise<void> | undefined): void;
  /** Ends the session, with details that only clients of debug routes see. */
  end(reason: CloseReason, detail: string): void;
}

/**
 * Reads a message of an origin that speaks GRIP: gives the content that is for the client. What is for the proxy is carried out, unless
 * the session takes no more orders; what is for neither is reported.
 */
export function readForClient(
  session: ControlledSession,
  message: { readonly type: 'text' | 'binary'; readonly data: Buffer; readonly prefix: string },
  takesOrders: boolean,
  deps: SessionDeps,
): Buffer | undefined {
  const { type, data, prefix } = message;
  const read = readOriginMessage(type, data, prefix);
  if (read.kind === 'message') return read.content;
  if (read.kind === 'control') {
    if (takesOrders) obeyControl(session, parseWsControl(read.text), deps);
  } else {
    const prefixes = `'${prefix}' for the client, 'c:' for the proxy`;
    const text = `message of the origin dropped: it begins with neither of its prefixes: ${prefixes}`;
    notice(session, deps.subscriber, 'prefix', text);
  }
  return undefined;
}

/** Carries a control message out, at once; one that is invalid is ignored. */
function obeyControl(session: ControlledSession, control: WsControl | WsControlInvalid, deps: SessionDeps): void {
  switch (control.type) {
    case 'subscribe':
      if (control.pattern) subscribeToPattern(session, control, deps);
      else subscribe(session, control, deps);
      break;
    case 'unsubscribe':
      if (control.pattern) session.subscriptions.removePattern(control.channel, deps.subscriber.events);
      else unsubscribe(session, control.channel);
      break;
    case 'detach':
      session.detach();
      break;
    case 'set-meta':
      if (!session.subscriptions.setMeta(control.name, control.value)) {
        refuse(session, deps.subscriber, 'meta-limit', `more than ${SESSION_META_MAX} bytes of meta`);
      }
      break;
    case 'keep-alive':
      session.writer.timed.keepAlive(control);
      break;
    case 'send-delayed':
      session.writer.timed.delay(control);
      break;
    case 'flush-delayed':
      session.writer.timed.flush();
      break;
    case 'expire': {
      const { timeout: seconds, date } = control;
      const span = seconds === undefined ? undefined : { seconds };
      deps.subscriber.registry.setExpiry(session, date === undefined ? span : { date });
      break;
    }
    case 'session':
      // The name is for an external state service, of which there is none.
      break;
    case 'invalid':
      notice(session, deps.subscriber, 'control', `control message of the origin ignored: ${control.reason}`);
  }
}

/** Logs that the origin has sent something that is of no use, of this kind. */
export function notice(
  { id, dial }: Pick<ControlledSession, 'id' | 'dial'>,
  { log, warnings }: SubscriberDeps,
  kind: string,
  text: string,
): void {
  log.debug({ id }, text);
  warnings?.noticed({ id, route: dial.route, target: undefined, marks: dial.request }, kind, text);
}

/** Logs that the origin of a session is lost, and warns of it. */
export function noticeLost(
  { id, dial }: Pick<ControlledSession, 'id' | 'dial'>,
  error: OriginError,
  { log, warnings }: SubscriberDeps,
): void {
  log.debug({ id, err: error }, 'origin lost');
  warnings?.failed({ id, route: dial.route, target: undefined, marks: dial.request }, error, 'WebSocket cut');
}

function subscribe(
  session: ControlledSession,
  { channel, filters, initial }: WsSubscribe,
  { subscriber, connectionSubscriptionMax: limit, replay }: SessionDeps,
): void {
  const { id, dial } = session;
  const { route } = dial;
  const { outcome, channel: name, isNew, live } = session.subscriptions.add(channel, filters);
  session.watch(live);
  subscriber.warnings?.filtersNamed({ id, route, target: undefined, marks: dial.request }, filters);
  const isServed = initial !== undefined && replay !== undefined && (replay.isOn(route) || route.resume);
  if (initial !== undefined && !isServed) {
    const context = { id, route, target: undefined, marks: dial.request };
    subscriber.warnings?.historyless(context, 'initial items (initial, since)');
  }
  if (outcome === 'subscribed' && isNew) session.writer.subscribed(name, live, isServed ? initial : undefined);
  if (outcome === 'too-many-filters') {
    refuse(session, subscriber, 'filter-limit', `too many filters for channel '${channel}'`);
  } else if (outcome === 'not-allowed')
    refuse(session, subscriber, 'channel-refused', refusedChannel(route, channel, subscriber.events));
  else if (outcome === 'too-many-channels') {
    subscriber.overChannels.report({ id, route, channels: limit + 1, limit, first: channel });
  }
}

/** As `subscribe`. Nothing is replayed of a pattern. */
function subscribeToPattern(
  session: ControlledSession,
  { channel, filters, initial }: WsSubscribe,
  { subscriber, connectionSubscriptionMax: limit }: SessionDeps,
): void {
  const { id, dial } = session;
  const { route } = dial;
  const context = { id, route, target: undefined, marks: dial.request };
  if (initial !== undefined) subscriber.warnings?.patternInitial(context);
  const added = session.subscriptions.addPattern(channel, filters, subscriber.events);
  if (typeof added === 'string') {
    refuse(session, subscriber, 'channel-refused', added);
    return;
  }
  session.watch(added.live);
  subscriber.warnings?.filtersNamed(context, filters);
  if (added.outcome === 'too-many-filters') {
    refuse(session, subscriber, 'filter-limit', `too many filters for pattern '${channel}'`);
  } else if (added.outcome === 'too-many-channels') {
    subscriber.overChannels.report({ id, route, channels: limit + 1, limit, first: channel });
  }
}

function unsubscribe({ subscriptions, writer }: ControlledSession, channel: string): void {
  const left = subscriptions.remove(channel);
  if (left !== undefined) writer.unsubscribed(left);
}

/** The origin asks for what cannot be: the session ends. */
function refuse(session: ControlledSession, subscriber: SubscriberDeps, reason: CloseReason, text: string): void {
  notice(session, subscriber, reason, `WebSocket closed: ${text}`);
  session.end(reason, text);
}
