/** Carries out the control messages of a session's origin: at once, or by the clock. */

import type { Faulty } from '@holdfast/control-api';
import type { WsControl, WsControlInvalid, WsKeepAlive, WsSendDelayed } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { SubscriberDeps } from '../channels/subscriber-deps.js';
import { refusedChannel } from '../routes/channel-name.js';
import type { Clock, Timer } from '../runtime/clock.js';
import { KeepAliveTimer } from '../runtime/timers.js';
import type { MessageType } from '../websocket/message-socket.js';
import type { Dial, SessionDeps } from './session-deps.js';
import type { SessionWriter } from './session-writer.js';
import { SESSION_META_MAX, type Subscriptions } from './subscriptions.js';

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
  deps: SessionDeps,
): void {
  switch (control.type) {
    case 'subscribe':
      subscribe(session, control.channel, control.filters, deps);
      break;
    case 'unsubscribe':
      unsubscribe(session, control.channel);
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

function subscribe(
  session: ControlledSession,
  channel: string,
  filters: readonly string[],
  { subscriber, connectionSubscriptionMax: limit }: SessionDeps,
): void {
  const { id, dial } = session;
  const { route } = dial;
  const { outcome, channel: name, isNew, live } = session.subscriptions.add(channel, filters);
  session.watch(live);
  subscriber.warnings?.filtersNamed({ id, route, target: undefined, marks: dial.request }, filters);
  if (outcome === 'subscribed' && isNew) session.writer.subscribed(name, live);
  if (outcome === 'too-many-filters') {
    refuse(session, subscriber, 'filter-limit', `too many filters for channel '${channel}'`);
  } else if (outcome === 'not-allowed')
    refuse(session, subscriber, 'channel-refused', refusedChannel(route, channel, subscriber.events));
  else if (outcome === 'too-many-channels') {
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

/** Sends a message to the client. */
export type SendTimed = (type: MessageType, content: Buffer) => void;

/** Both are set by the origin's control messages; a new one takes the place of the old. */
export class TimedMessages {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #send: SendTimed;
  readonly #session: Faulty;
  #keepAlive: KeepAliveTimer | undefined;
  #delayed: WsSendDelayed | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, random: () => number, send: SendTimed, session: Faulty) {
    this.#clock = clock;
    this.#random = random;
    this.#send = send;
    this.#session = session;
  }

  /** Starts keep-alives, or without content ends them. */
  keepAlive({ content, messageType, timeout, mode }: WsKeepAlive): void {
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
    if (content === undefined) return;
    const beat = () => this.#send(messageType, content);
    this.#keepAlive = new KeepAliveTimer({ timeout, mode }, this.#clock, this.#random, beat, this.#session);
  }

  /** Something was sent to the client: an idle keep-alive is put off. */
  sent(): void {
    this.#keepAlive?.sent(this.#clock.monotonic());
  }

  /** Sends a message later; one that still waits goes out first, now. */
  delay(message: WsSendDelayed): void {
    this.flush();
    this.#delayed = message;
    this.#timer = this.#clock.after(message.timeout * 1_000, () => this.flush(), this.#session);
  }

  /** Sends the delayed message now, once. */
  flush(): void {
    this.#clock.clear(this.#timer);
    const delayed = this.#delayed;
    this.#delayed = undefined;
    if (delayed !== undefined) this.#send(delayed.messageType, delayed.content);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#keepAlive?.stop();
    this.#keepAlive = undefined;
    this.#clock.clear(this.#timer);
    this.#delayed = undefined;
  }
}
