/** An answer whose head waits for where its channels stand: what takes its body, and the field that says it. */
import type { Instruct, RawHeaders } from '@holdfast/grip';
import type { OriginError } from '../errors.js';
import { type PositionWish, positionToken } from '../history/position.js';
import type { AnswerSink } from '../origin/port.js';
import { channelOf } from '../routes/channel-name.js';
import { BUFFERED_BODY_MAX } from './body-sinks.js';
import type { Exchange } from './exchange.js';

/** The field of the client's answer. */
const FIELD = 'Holdfast-Position';

/** Asks where the channels of an instruct stand; undefined where it does not want to know, or no history says. */
export function askPosition(exchange: Exchange, instruct: Instruct): Promise<string | undefined> | undefined {
  const { position, hold, links, channels } = instruct;
  if (position !== true || hold !== undefined || links.next !== undefined || channels === undefined) return undefined;
  const { route, deps, askedAt } = exchange;
  const { replay } = deps.holds;
  if (replay === undefined || !replay.isOn(route)) return undefined;
  const wishes: PositionWish[] = [];
  for (const { name, prevId } of channels) {
    const channel = channelOf(route, name);
    if (channel === undefined) return undefined;
    wishes.push({ channel, prevId });
  }
  return wishes.length === 0 ? undefined : positionToken(wishes, askedAt, replay);
}

/** The instruct with the field, where there is a position. */
export function positioned(instruct: Instruct, token: string | undefined): Instruct {
  if (token === undefined) return instruct;
  const { response } = instruct;
  return { ...instruct, response: { ...response, headers: [...response.headers, FIELD, token] } };
}

/** Calls `make` when the position is there, unless the client has gone; what that throws is the answer's failure. */
export function whenPositioned(
  exchange: Exchange,
  position: Promise<string | undefined>,
  make: (token: string | undefined) => void,
): void {
  const made = position.then((token) => {
    if (!exchange.isDeciding) return;
    try {
      make(token);
    } catch (error) {
      exchange.fail(error as Error);
    }
  });
  exchange.deps.holds.subscriber.faults.watch('history', made, exchange);
}

/** Takes a body while its head waits: the origin is held back soon. */
export class WaitingSink implements AnswerSink {
  readonly #exchange: Pick<Exchange, 'resume' | 'brokenOff' | 'fail'>;
  #sink: AnswerSink | undefined;
  #buffered: Buffer[] = [];
  #bytes = 0;
  /** The body is whole, with these trailers. */
  #end: { readonly trailers: RawHeaders | undefined } | undefined;

  constructor(exchange: Pick<Exchange, 'resume' | 'brokenOff' | 'fail'>) {
    this.#exchange = exchange;
  }

  /** The head is out: what was buffered follows. */
  open(sink: AnswerSink): void {
    this.#sink = sink;
    const buffered = this.#buffered;
    this.#buffered = [];
    let hasRoom = true;
    for (const chunk of buffered) hasRoom = sink.onData(chunk);
    if (this.#end !== undefined) sink.onEnd(this.#end.trailers);
    else if (buffered.length > 0 && hasRoom) this.#exchange.resume();
  }

  onData(chunk: Buffer): boolean {
    if (this.#sink !== undefined) return this.#sink.onData(chunk);
    this.#buffered.push(chunk);
    this.#bytes += chunk.length;
    return this.#bytes < BUFFERED_BODY_MAX;
  }

  onEnd(trailers?: RawHeaders): void {
    if (this.#sink === undefined) this.#end = { trailers };
    else this.#sink.onEnd(trailers);
  }

  onError(error: OriginError): void {
    if (this.#sink !== undefined) {
      this.#sink.onError(error);
      return;
    }
    this.#buffered = [];
    this.#exchange.brokenOff(error);
    this.#exchange.fail(error);
  }
}
