/**
 * Owns: carrying out what an origin says to the proxy in the midst of a session: its control messages. Does not own:
 * their syntax, or the session.
 */
import type { WsControl, WsControlInvalid } from '@holdfast/grip';
import { refusedChannel } from '../routes/channel-name.js';
import type { SessionOutput } from './session-output.js';
import { SESSION_META_MAX, type Subscriptions } from './subscriptions.js';
import type { TimedMessages } from './timed-messages.js';

/** A session, as what control messages have an effect on. */
export interface ControlledSession {
  readonly id: string;
  readonly subscriptions: Subscriptions;
  readonly output: SessionOutput;
  /** Made by the first message that asks for one. */
  readonly timed: TimedMessages;
  /** The origin leaves, and the client stays. */
  detach(): void;
  /** A subscription was made; `live` is as of `ChannelRegistry.add`. */
  watch(live: Promise<void> | undefined): void;
  /** The origin wants more filters than there may be. */
  overFiltered(text: string): void;
  /** The origin wants more meta than there may be. */
  overMeta(text: string): void;
  /** The origin wants this channel, and has as many already as it may have: it is ignored. */
  overChannels(channel: string): void;
  /** The origin wants a channel that is none of its route's. */
  channelRefused(text: string): void;
  /** The origin has sent something that is of no use, of this kind. */
  noticed(kind: string, text: string): void;
  /** The origin has named these filters, known or not. */
  filtersNamed(filters: readonly string[]): void;
}

/** Carries a control message out, at once; one that is invalid is ignored. */
export function obeyControl(session: ControlledSession, control: WsControl | WsControlInvalid): void {
  switch (control.type) {
    case 'subscribe':
      subscribe(session, control.channel, control.filters);
      break;
    case 'unsubscribe':
      unsubscribe(session, control.channel);
      break;
    case 'detach':
      session.detach();
      break;
    case 'set-meta':
      if (!session.subscriptions.setMeta(control.name, control.value)) {
        session.overMeta(`more than ${SESSION_META_MAX} bytes of meta`);
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
      session.noticed('control', `control message of the origin ignored: ${control.reason}`);
  }
}

function subscribe(session: ControlledSession, channel: string, filters: readonly string[]): void {
  const { outcome, channel: name, isNew, live } = session.subscriptions.add(channel, filters);
  session.watch(live);
  session.filtersNamed(filters);
  if (outcome === 'subscribed' && isNew) session.output.subscribed(name, live);
  if (outcome === 'too-many-filters') session.overFiltered(`too many filters for channel '${channel}'`);
  else if (outcome === 'not-allowed') session.channelRefused(refusedChannel(channel));
  else if (outcome === 'too-many-channels') session.overChannels(channel);
}

function unsubscribe({ subscriptions, output }: ControlledSession, channel: string): void {
  const left = subscriptions.remove(channel);
  if (left !== undefined) output.unsubscribed(left);
}
