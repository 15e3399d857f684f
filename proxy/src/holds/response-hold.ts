/**
 * Owns: a held request that one published item, or its time-out, answers (long-polling; GRIP `hold: response`).
 * Does not own: how the hold came about, or asking the origin again (its owner does).
 */
import type { HttpResponseFormat, HttpResponseSend, Instruct, RawHeaders, ResponseHead } from '@holdfast/grip';
import { applyBodyPatch } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberEnd, SubscriberParts } from '../channels/subscriber-parts.js';
import type { Timer } from '../clock.js';
import type { CloseReason } from '../close-reasons.js';
import type { ClientResponse, ResponseOwner } from '../edge/edge.js';
import { type HoldOwner, lastIdsOf } from './hold.js';

const EMPTY = Buffer.alloc(0);

/**
 * Registered from its construction on. The origin's own answer, which goes out at the time-out, may still be on its
 * way then: an item that arrives first waits for it, for it may be a patch to it.
 */
export class ResponseHold implements Subscriber, ResponseOwner {
  readonly id: string;
  readonly kind = 'response';
  readonly #response: ClientResponse;
  readonly #instruct: Instruct;
  readonly #channels: readonly string[];
  readonly #owner: HoldOwner;
  readonly #parts: SubscriberParts;
  readonly #since: number;
  #timer: Timer | undefined;
  #body: Buffer | undefined;
  #early: HttpResponseFormat | undefined;
  #over = false;

  /** `channels` are the full names; `instruct` must have a hold. */
  constructor(
    id: string,
    response: ClientResponse,
    instruct: Instruct,
    channels: readonly string[],
    owner: HoldOwner,
    parts: SubscriberParts,
  ) {
    this.id = id;
    this.#response = response;
    this.#instruct = instruct;
    this.#channels = channels;
    this.#owner = owner;
    this.#parts = parts;
    this.#since = parts.clock.now();
    response.own(this);
    const timeout = (instruct.hold?.timeout ?? 0) * 1_000;
    this.#timer = parts.clock.after(timeout, () => this.#timeOut());
    parts.events.subscriberOpened('response');
    parts.registry.add(this, channels)?.catch((error: Error) => {
      parts.log.warn({ id, err: error }, 'subscription failed: asking the origin again at the time-out');
    });
  }

  /** The origin's answer is complete: this is its body. An item that came before is used now. */
  complete(body: Buffer): void {
    if (this.#over) return;
    this.#body = body;
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) this.#use(early);
  }

  /** The origin's answer broke off: the hold ends without a trace, and its owner answers. */
  abandon(): void {
    this.#leave('origin-failed');
  }

  deliver(delivery: Delivery): boolean {
    const format = delivery.response;
    if (this.#over || format === undefined || format.action === 'close' || format.action === 'refresh') return false;
    if (this.#body !== undefined) this.#use(format);
    else this.#early ??= format;
    return true;
  }

  recover(): void {
    if (!this.#over && this.#body !== undefined) this.#retry();
  }

  shutDown(): void {
    this.#timeOut('shutdown');
  }

  onWritable(): void {}

  onGone(): void {
    const end = this.#leave('client-gone');
    if (end !== undefined) this.#owner.holdEnded(end);
  }

  #use(format: HttpResponseFormat): void {
    if (format.action === 'hint') this.#retry();
    else if (format.action === 'send') this.#send(format);
  }

  #send(format: HttpResponseSend): void {
    const end = this.#leave('answered', 1);
    if (end === undefined) return;
    this.#parts.events.itemSent('response');
    const head = {
      status: format.code,
      reason: format.reason,
      headers: mergeHeaders(this.#instruct.response.headers, format.headers),
    };
    const body = 'bodyPatch' in format ? (applyBodyPatch(this.#body ?? EMPTY, format.bodyPatch) ?? EMPTY) : format.body;
    this.#answer(head, body, end);
  }

  #timeOut(reason: CloseReason = 'timeout'): void {
    // The answer that is to go out has not arrived: its end, or its failure, ends the hold.
    if (this.#body === undefined && !this.#over) {
      this.#parts.clock.clear(this.#timer);
      this.#timer = this.#parts.clock.after(1_000, () => this.#timeOut(reason));
      return;
    }
    const end = this.#leave(reason);
    if (end === undefined) return;
    const { code, reason: phrase, headers } = this.#instruct.response;
    this.#answer({ status: code, reason: phrase, headers }, this.#body ?? EMPTY, end);
  }

  #answer(head: ResponseHead, body: Buffer, end: SubscriberEnd): void {
    this.#response.writeHead(head, body.length);
    this.#response.end(body);
    this.#owner.holdEnded(end);
  }

  #retry(): void {
    const end = this.#leave('retried');
    if (end !== undefined) this.#owner.holdRetry(end, lastIdsOf(this.#instruct));
  }

  #leave(reason: CloseReason, items = 0): SubscriberEnd | undefined {
    if (this.#over) return undefined;
    this.#over = true;
    const { clock, registry, events } = this.#parts;
    clock.clear(this.#timer);
    registry.remove(this, this.#channels);
    events.subscriberEnded('response', reason);
    const duration = clock.now() - this.#since;
    return { kind: 'response', reason, items, dropped: 0, duration, channels: this.#channels };
  }
}

/**
 * The held headers with same-named published ones in their place at the end. Published GRIP headers are instructions,
 * not data: they are left out, and `Grip-Expose-Headers` limits what is sent to the fields that it names.
 */
function mergeHeaders(held: RawHeaders, published: RawHeaders): RawHeaders {
  if (published.length === 0) return held;
  const names = new Set<string>();
  const own: string[] = [];
  let exposed: Set<string> | undefined;
  for (let i = 0; i < published.length; i += 2) {
    const name = published[i] as string;
    const value = published[i + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'grip-expose-headers') {
      exposed ??= new Set();
      for (const part of value.split(',')) exposed.add(part.trim().toLowerCase());
    } else if (!lower.startsWith('grip-')) {
      names.add(lower);
      own.push(name, value);
    }
  }
  const merged: string[] = [];
  for (let i = 0; i < held.length; i += 2) {
    const name = held[i] as string;
    if (!names.has(name.toLowerCase())) merged.push(name, held[i + 1] as string);
  }
  merged.push(...own);
  return exposed === undefined ? merged : only(merged, exposed);
}

function only(headers: RawHeaders, names: ReadonlySet<string>): RawHeaders {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (names.has((headers[i] as string).toLowerCase())) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
