/** The built-in `subscribe` target for WebSockets: subscribes a client to what its token permits, at first and by its frames. */
import { type Clock, type Containment, uncontained } from '@holdfast/control-api';
import {
  type Admitted,
  admit,
  askedChannels,
  forbiddenOf,
  namesFault,
  type SubscribePlace,
} from '../../direct/admission.js';
import { answerFrame, type Frame, type FrameAnswer, type FrameError, readFrame } from '../../direct/frames.js';
import { endOf, ISSUED_META, type Permit } from '../../direct/permit.js';
import { protocolBeside } from '../../direct/token-source.js';
import type { Verified } from '../../direct/token-verifier.js';
import { parametersOf, pathBehind, pathnameOf } from '../../http/request-path.js';
import { type Answer, plainAnswer } from '../../origin/in-process.js';
import type { OriginHandshakeOwner } from '../origin-socket.js';
import type { Dial } from '../session-deps.js';
import { InProcessSocket } from './in-process-socket.js';

/** Subscribes. */
export class SubscribeSocket extends InProcessSocket {
  readonly #dial: Pick<Dial, 'request' | 'extension'>;
  readonly #place: SubscribePlace;
  readonly #clock: Clock;
  readonly #channels = new Set<string>();
  #permit: Permit | undefined;
  /** The session has been given an end. */
  #ends = false;

  constructor(
    dial: Pick<Dial, 'request' | 'extension'>,
    place: SubscribePlace,
    clock: Clock,
    handshake: OriginHandshakeOwner,
    faults: Containment = uncontained,
  ) {
    super(handshake, faults);
    this.#dial = dial;
    this.#place = place;
    this.#clock = clock;
  }

  protected open(): void {
    const { request, extension } = this.#dial;
    const { host, headers } = request;
    const path = pathBehind(this.#place.route.pathBeg, request.path);
    const channels = askedChannels(parametersOf(path));
    const name = pathnameOf(path);
    if (name !== '/' && name !== '/ws')
      this.refuse(plainAnswer(404, 'Not Found', 'there is nothing to subscribe to at this path\n'));
    else if (extension === '')
      // A proxy before this one, whose clients these are, has not offered it.
      this.refuse(plainAnswer(400, 'Bad Request', 'the GRIP extension is needed\n'));
    else if (channels === undefined)
      this.refuse(plainAnswer(400, 'Bad Request', 'channels are named by ?channel=NAME\n'));
    else {
      const judged = (outcome: Admitted | Answer) => this.#judged(outcome, channels);
      const outcome = admit(this.#place, { host, headers, channels });
      if (outcome instanceof Promise) this.watch(outcome.then(judged));
      else judged(outcome);
    }
  }

  protected answer(type: 'text' | 'binary', data: Buffer): undefined | Promise<void> {
    const frame = readFrame(type, data);
    if (frame === undefined) return this.#refuseFrame('bad_frame', undefined);
    if (frame.token === undefined) return this.#obey(frame, this.#permit);
    const { target, verifier } = this.#place;
    const verified = verifier.verify(target, frame.token);
    const renewed = (outcome: Verified) => this.#renew(frame, outcome);
    return verified instanceof Promise ? verified.then(renewed) : renewed(verified);
  }

  #judged(outcome: Admitted | Answer, channels: readonly string[]): void {
    if ('status' in outcome) {
      this.refuse(outcome);
      return;
    }
    const protocol = protocolBeside(this.#dial.request.headers);
    this.accept(protocol === undefined ? [] : ['Sec-WebSocket-Protocol', protocol]);
    if (outcome.permit !== undefined) this.#stand(outcome.permit);
    for (const channel of channels) this.#subscribe(channel);
  }

  /** A token in place of the one before it: of the same user, or the first. */
  #renew(frame: Frame, permit: Verified): undefined {
    const before = this.#permit?.user ?? '';
    if (permit === 'unavailable') return this.#refuseFrame('unavailable', frame.id);
    if (permit === 'invalid') return this.#refuseFrame('bad_token', frame.id);
    if (before !== '' && before !== permit.user) return this.#refuseFrame('other_user', frame.id);
    return this.#obey(frame, permit, () => this.#stand(permit));
  }

  /** All of a frame, or nothing of it. */
  #obey(frame: Frame, permit: Permit | undefined, first = () => {}): undefined {
    const { target, channelsMax } = this.#place;
    const { id, subscribe, unsubscribe } = frame;
    if (permit !== undefined && this.#clock.wall() >= permit.until) return this.#refuseFrame('expired', id);
    if (namesFault(this.#place, subscribe) !== undefined) return this.#refuseFrame('bad_channel', id);
    const forbidden = forbiddenOf(target, permit, subscribe);
    if (forbidden !== undefined) return this.#refuseFrame('forbidden', id, forbidden);
    const leaves = new Set(unsubscribe.filter((channel) => this.#channels.has(channel)));
    // What another token does not permit any more.
    for (const channel of this.#channels)
      if (permit !== this.#permit && forbiddenOf(target, permit, [channel]) !== undefined) leaves.add(channel);
    const joins = subscribe.filter((channel) => leaves.has(channel) || !this.#channels.has(channel));
    if (this.#channels.size - leaves.size + joins.length > channelsMax) return this.#refuseFrame('too_many', id);
    first();
    for (const channel of leaves) this.#unsubscribe(channel);
    for (const channel of joins) this.#subscribe(channel);
    const unsubscribed = [...leaves];
    this.#reply(
      {
        holdfast: 'ok',
        ...(subscribe.length > 0 && { subscribed: subscribe }),
        ...(unsubscribed.length > 0 && { unsubscribed }),
      },
      id,
    );
    return undefined;
  }

  /** Whose the session is, and until when. */
  #stand(permit: Permit): void {
    this.#permit = permit;
    if (permit.user !== '') {
      this.control({ type: 'set-meta', name: 'user', value: permit.user });
      this.control({ type: 'set-meta', name: ISSUED_META, value: String(permit.issuedAt) });
    }
    const date = endOf(permit);
    // One that never ends takes the end of the token before it back.
    if (date !== undefined) this.control({ type: 'expire', date });
    else if (this.#ends) this.control({ type: 'expire' });
    this.#ends = date !== undefined;
  }

  #subscribe(channel: string): void {
    this.#channels.add(channel);
    this.control({ type: 'subscribe', channel, filters: [] });
  }

  #unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    this.control({ type: 'unsubscribe', channel });
  }

  #refuseFrame(error: FrameError, id: Frame['id'], channel?: string): undefined {
    this.#reply({ holdfast: 'error', error, ...(channel !== undefined && { channel }) }, id);
    return undefined;
  }

  #reply(answer: FrameAnswer, id: Frame['id']): void {
    this.say('text', Buffer.from(`m:${answerFrame(answer, id)}`));
  }
}
