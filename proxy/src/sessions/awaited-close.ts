/** What closes a session: a Close that one end has sent, until the other end has answered or has had its time; and the proxy's own. */
import type { CloseOrder, Faulty } from '@holdfast/control-api';
import { fitCloseReason, isSendableCloseCode } from '@holdfast/grip';
import { type CloseReason, closeCode, closeReasons, closeText } from '../channels/close-reasons.js';
import type { Clock, Timer } from '../runtime/clock.js';
import type { MessageSocket } from '../websocket/message-socket.js';
import type { OriginSocket } from './origin-socket.js';

/**
 * How long the other end has to answer a Close, in ms; then the proxy answers in its place.
 *
 * @limit {s} for one end to answer the other's Close
 * @over the proxy answers in its place
 */
export const CLOSE_ANSWER_MS = 5_000;

/**
 * How long a client whose session the proxy closes has to take the Close frame before it is cut off, in ms.
 *
 * @limit {s} for a client to take the Close frame of a session that the proxy closes
 * @over connection cut
 */
export const CLOSE_GRACE_MS = 5_000;

/** Of a Close without one. */
export const NO_REASON = Buffer.alloc(0);

/** `breach`: the client broke the protocol, which is answered with the code for that, whatever the origin says. */
export type ClosingEnd = 'client' | 'breach' | 'origin';

/** One Close that waits for its answer. */
export class AwaitedClose {
  readonly from: ClosingEnd;
  readonly #code: number | undefined;
  readonly #reason: Buffer;
  readonly #clock: Clock;
  readonly #timer: Timer;

  /** `late` is called when the time is over; a fault in it ends `session`. */
  constructor(
    from: ClosingEnd,
    code: number | undefined,
    reason: Buffer,
    { clock, late, session }: { readonly clock: Clock; readonly late: () => void; readonly session: Faulty },
  ) {
    this.from = from;
    this.#code = code;
    this.#reason = reason;
    this.#clock = clock;
    this.#timer = clock.after(CLOSE_ANSWER_MS, late, session);
  }

  /** The wait is over. */
  stop(): void {
    this.#clock.clear(this.#timer);
  }

  /** Answers with what it said itself. */
  echo(client: Closable, origin: OriginSocket): void {
    this.answer(this.#code, this.#reason, client, origin);
  }

  /** Answers with what the other end says. */
  answer(code: number | undefined, reason: Buffer, client: Closable, origin: OriginSocket): void {
    if (this.from === 'origin') origin.close(code, reason);
    else if (this.from === 'breach') client.close(this.#code);
    else closeClient(client, code, reason);
  }
}

/**
 * The Close with which the proxy ends a session itself; without a code the client is to be cut. `detail`, or what the reason means, is
 * for clients of debug routes only. `order` is what an operator wants the client to get, as another node has passed it on.
 */
export function closeOf(
  reason: CloseReason,
  isDebug: boolean,
  detail: string = closeReasons[reason].meaning,
  order?: CloseOrder,
): { readonly code: number | undefined; readonly text: Buffer } {
  if (order !== undefined && isSendableCloseCode(order.code)) {
    return { code: order.code, text: fitCloseReason(Buffer.from(String(order.reason))) };
  }
  const text = isDebug ? detail : closeText(reason);
  return { code: closeCode(reason), text: fitCloseReason(Buffer.from(text)) };
}

/** Closes a client because the proxy wants it; one that does not take the Close in its time, or gets none, is cut. */
export function closeOrCut(
  session: Closable & Faulty & { readonly client: MessageSocket },
  { code, text }: ReturnType<typeof closeOf>,
  clock: Clock,
): void {
  if (code === undefined) session.client.abort();
  else {
    session.close(code, text);
    clock.after(CLOSE_GRACE_MS, () => session.client.abort(), session);
  }
}

/** What takes a Close for a client. */
export type Closable = Pick<MessageSocket, 'close'>;

/** Closes a client; the reason goes with a code only (RFC 6455 §5.5.1). */
export function closeClient(client: Closable, code: number | undefined, reason?: Buffer): void {
  if (code === undefined) client.close();
  else client.close(code, reason);
}
