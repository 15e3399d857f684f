/** Carries out the control messages of a session's origin. */
import type { WsControl, WsControlInvalid } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { SubscriberParts } from '../channels/subscriber-parts.js';
import { refusedChannel } from '../routes/channel-name.js';
import type { Dial, SessionParts } from './session-parts.js';
import type { SessionWriter } from './session-writer.js';
import { SESSION_META_MAX, type Subscriptions } from './subscriptions.js';
import type { TimedMessages } from './timed-messages.js';

/** A session, as what control messages have an effect on. */
export interface ControlledSession {
  readonly id: string;
  readonly dial: Dial;
  readonly subscriptions: Subscriptions;
  readonly writer: SessionWriter;
  /** Made by the first message that asks for one. */
  readonly timed: TimedMessages;
  /** The origin leaves, and the client stays. */
  detach(): void;
  /** A subscription was made; `live` is as of `ChannelRegistry.add`. */
  watch(live: Promise<void> | undefined): void;
  /** Ends the session, with details that only clients of debug routes see. */
  end(reason: CloseReason, detail: string): void;
}

/** Carries a control message out, at once; one that is invalid is ignored. */
export function obeyControl(
  session: ControlledSession,
  control: WsControl | WsControlInvalid,
  parts: Pick<SessionParts, 'subscriber' | 'connectionSubscriptionMax'>,
): void {
  switch (control.type) {
    case 'subscribe':
      subscribe(session, control.channel, control.filters, parts);
      break;
    case 'unsubscribe':
      unsubscribe(session, control.channel);
      break;
    case 'detach':
      session.detach();
      break;
    case 'set-meta':
      if (!session.subscriptions.setMeta(control.name, control.value)) {
        refuse(session, parts.subscriber, 'meta-limit', `more than ${SESSION_META_MAX} bytes of meta`);
      }
      break;
    case 'keep-alive':
      session.timed.keepAlive(control);
      break;
    case 'send-delayed':
      session.timed.delay(control);
      break;
    case 'flush-delayed':
      session.timed.flush();
      break;
    case 'session':
      // The name is for an external state service, of which there is none.
      break;
    case 'invalid':
      notice(session, parts.subscriber, 'control', `control message of the origin ignored: ${control.reason}`);
  }
}

/** Logs that the origin has sent something that is of no use, of this kind. */
export function notice(
  { id, dial }: Pick<ControlledSession, 'id' | 'dial'>,
  { log, warnings }: SubscriberParts,
  kind: string,
  text: string,
): void {
  log.debug({ id }, text);
  warnings?.noticed({ id, route: dial.route, target: undefined }, kind, text);
}

function subscribe(
  session: ControlledSession,
  channel: string,
  filters: readonly string[],
  { subscriber, connectionSubscriptionMax: limit }: Pick<SessionParts, 'subscriber' | 'connectionSubscriptionMax'>,
): void {
  const { id, dial } = session;
  const { route } = dial;
  const { outcome, channel: name, isNew, live } = session.subscriptions.add(channel, filters);
  session.watch(live);
  subscriber.warnings?.filtersNamed({ id, route, target: undefined }, filters);
  if (outcome === 'subscribed' && isNew) session.writer.subscribed(name, live);
  if (outcome === 'too-many-filters') {
    refuse(session, subscriber, 'filter-limit', `too many filters for channel '${channel}'`);
  } else if (outcome === 'not-allowed') refuse(session, subscriber, 'channel-refused', refusedChannel(channel));
  else if (outcome === 'too-many-channels') {
    subscriber.overChannels.report({ id, route, channels: limit + 1, limit, first: channel });
  }
}

function unsubscribe({ subscriptions, writer }: ControlledSession, channel: string): void {
  const left = subscriptions.remove(channel);
  if (left !== undefined) writer.unsubscribed(left);
}

/** The origin asks for what cannot be: the session ends. */
function refuse(session: ControlledSession, subscriber: SubscriberParts, reason: CloseReason, text: string): void {
  notice(session, subscriber, reason, `WebSocket closed: ${text}`);
  session.end(reason, text);
}
