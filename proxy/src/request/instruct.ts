/** What an origin's GRIP response leads to: a relayed answer, an answer made from the instruct, or a hold. */
import {
  headerValue,
  headerValues,
  type Instruct,
  instructKind,
  parseInstructHeaders,
  parseInstructJson,
  type RawHeaders,
  type ResponseFilter,
  type ResponseHead,
  responseFilter,
} from '@holdfast/grip';
import { metaOf } from '../channels/subscription-list.js';
import { codingsOf } from '../decoding/codings.js';
import { type OriginError, RequestError } from '../errors.js';
import { channelList, type HoldDeps, type HoldOwner, type Opening } from '../holds/hold.js';
import { ResponseHold } from '../holds/response-hold.js';
import { StreamHold } from '../holds/stream-hold.js';
import { ofChangedBytes, ofDecodedBody } from '../http/fields.js';
import { type LinkScope, scopeOf } from '../links/link-scope.js';
import type { AnswerSink } from '../origin/port.js';
import { describeTarget } from '../origin/send.js';
import type { Target } from '../routes/target.js';
import { KeptBytes } from '../runtime/kept-bytes.js';
import { relay, StreamSink } from './body-sinks.js';
import { type CallbackOutcome, orderOf } from './callback-order.js';
import { type Exchange, type SinkChoice, tooLargeToHold } from './exchange.js';
import { whenOrdered } from './ordered-answer.js';
import { askPosition, positioned, WaitingSink, whenPositioned } from './positioned-answer.js';

const EMPTY = Buffer.alloc(0);

/**
 * The only place that decides what becomes of an origin's answer. Throws a `GripError` when an instruct in headers cannot be
 * understood, an `OriginError` when a body cannot be decoded, a `RequestError` when the request is too large to hold, and what
 * `writeHead` throws.
 */
export const chooseSink: SinkChoice = (exchange, head, length) => {
  if (!exchange.obeysGrip || instructKind(head) === 'none') return relay(exchange, head, length);
  if (!exchange.replayable) throw tooLargeToHold();
  return new InstructAnswer(exchange).sinkFor(head, length);
};

/**
 * Carries out one GRIP response. Its body is decoded where more is done with it than relaying it: items are joined to it, a
 * filter changes it, or it is the instruct itself.
 */
class InstructAnswer {
  readonly #exchange: Exchange;
  /** Where its links are relative to. */
  readonly #scope: LinkScope;

  constructor(exchange: Exchange) {
    const { request, route, trust, target } = exchange;
    this.#exchange = exchange;
    this.#scope = scopeOf(request, route, trust, target);
  }

  sinkFor(head: ResponseHead, length: number | undefined): AnswerSink {
    if (instructKind(head) === 'json') {
      const document = this.#collect(
        (body) => this.#obeyJson(parseInstructJson(head, body), head.headers),
        () => {},
      );
      return this.#exchange.decoded(codingsOf(head.headers), document);
    }
    const instruct = parseInstructHeaders(head);
    this.#warn(instruct, head.headers);
    const order = this.#order(instruct);
    if (order !== undefined) {
      const sink = new WaitingSink(this.#exchange);
      whenOrdered(this.#exchange, order, () => sink.open(this.#take(instruct, head, length)));
      return sink;
    }
    const position = askPosition(this.#exchange, instruct);
    return position === undefined ? this.#take(instruct, head, length) : this.#wait(position, instruct, head, length);
  }

  #take(instruct: Instruct, head: ResponseHead, length: number | undefined): AnswerSink {
    return this.#sink(instruct, head.headers) ?? relay(this.#exchange, relayedHead(instruct, head), length);
  }

  /** The head is to say where the channels stand. */
  #wait(
    position: Promise<string | undefined>,
    instruct: Instruct,
    head: ResponseHead,
    length: number | undefined,
  ): AnswerSink {
    const sink = new WaitingSink(this.#exchange);
    whenPositioned(this.#exchange, position, (token) =>
      sink.open(this.#take(positioned(instruct, token), head, length)),
    );
    return sink;
  }

  #obeyJson(instruct: Instruct, fields: RawHeaders): void {
    this.#warn(instruct, fields);
    const order = this.#order(instruct);
    const position = askPosition(this.#exchange, instruct);
    if (order !== undefined) whenOrdered(this.#exchange, order, () => this.#giveJson(instruct));
    else if (position === undefined) this.#giveJson(instruct);
    else whenPositioned(this.#exchange, position, (token) => this.#giveJson(positioned(instruct, token)));
  }

  #giveJson(instruct: Instruct): void {
    const body = instruct.response.body ?? EMPTY;
    const sink = this.#sink(instruct, instruct.response.headers);
    if (sink === undefined) this.#answer(headOf(instruct), body);
    else {
      sink.onData(body);
      sink.onEnd();
    }
  }

  /** Has the callback of an instruct made or ended; undefined where there is none. */
  #order(instruct: Instruct): Promise<CallbackOutcome> | undefined {
    const { callbacks, holds } = this.#exchange.deps;
    const order = orderOf(instruct, this.#scope.route, holds.subscriber.events);
    if (order === undefined) return undefined;
    // The origin would take it for made.
    if (callbacks === undefined) throw new RequestError('ERR_REQUEST_CALLBACK', 'Callbacks are off: set callbacks.');
    return callbacks(order);
  }

  /** Logs what of an instruct has no meaning. `fields` are those of the origin's answer. */
  #warn(instruct: Instruct, fields: RawHeaders): void {
    const { request, target, deps } = this.#exchange;
    const { warnings } = deps.holds.subscriber;
    if (warnings === undefined) return;
    const context = { id: request.id, route: this.#scope.route, target, marks: request };
    warnings.instructed(context, fields, filtersOf(instruct), instruct.unknown);
    const { hold, links } = instruct;
    if (hold?.channels.some(({ isPattern, initial }) => isPattern && initial !== undefined)) {
      warnings.patternInitial(context);
    }
    if (deps.holds.replay?.isOn(this.#scope.route) !== true) {
      const initial = hold?.channels.some(({ isPattern, initial }) => !isPattern && initial !== undefined) === true;
      if (initial || instruct.position === true) {
        warnings.historyless(context, initial ? 'initial items (initial, since)' : 'a position (Grip-Position)');
      }
    }
    if (hold?.channels.length === 0 && target.subs.length === 0 && links.next === undefined)
      warnings.channelless(context);
    if (isHoldless(instruct)) warnings.holdless(context);
  }

  /**
   * What takes the body of the answer, whose fields, as far as they name its codings, are `coded`. Undefined when nothing is to
   * be done with it: it may go out as it is.
   */
  #sink(instruct: Instruct, coded: RawHeaders): AnswerSink | undefined {
    const holds = this.#holds(instruct);
    const filter = holds ? undefined : responseFilter(filtersOf(instruct), metaOf(instruct.meta));
    if (!holds && filter === undefined) return undefined;
    const codings = codingsOf(coded);
    const plain = codings.length === 0 ? instruct : decodedInstruct(instruct);
    const sink = filter === undefined ? this.#hold(plain) : this.#filtered(plain, filter);
    return this.#exchange.decoded(codings, sink);
  }

  /**
   * Whether the response stays open: held, or continued by a next link. A stream to which nothing can ever be appended
   * (RFC 9110 §6.4.1) is an answer, not a hold.
   */
  #holds({ hold, links, response: { code } }: Instruct): boolean {
    if (hold === undefined && links.next === undefined) return false;
    return hold?.mode === 'response' || !(this.#exchange.request.method === 'HEAD' || code === 204 || code === 304);
  }

  #filtered(instruct: Instruct, filter: ResponseFilter): AnswerSink {
    const head = headOf(instruct);
    const changed = { ...head, headers: ofChangedBytes(head.headers) };
    return this.#collect(
      (body) => this.#answer(changed, filtered(filter, body)),
      () => {},
    );
  }

  #answer(head: ResponseHead, body: Buffer): void {
    const { response } = this.#exchange;
    response.writeHead(head, body.length);
    response.end(body);
    this.#exchange.answered(head.status);
  }

  #hold(instruct: Instruct): AnswerSink {
    const hold = this.#open(this.#granted(instruct));
    if (!(hold instanceof ResponseHold)) return this.#stream(hold, instruct);
    return this.#collect(
      (body) => this.#complete(hold, instruct, body),
      () => hold.abandon(),
    );
  }

  /** With the token by which its client may come back, if the origin wants it to have one. */
  #granted(instruct: Instruct): Instruct {
    const { request, route, trust, deps } = this.#exchange;
    if (instruct.resumeToken === undefined) return instruct;
    const fields = deps.grants?.fieldsFor(instruct, request, route, trust.secure) ?? [];
    const { response } = instruct;
    return { ...instruct, response: { ...response, headers: [...response.headers, ...fields] } };
  }

  #open(instruct: Instruct): ResponseHold | StreamHold {
    const { request, response, target, deps } = this.#exchange;
    const { id, clientAddress, headers } = request;
    const { connectionSubscriptionMax } = deps.settings;
    // Of a client that comes back: what it was opened with says less by then.
    const lastEventId = headerValue(headers, 'last-event-id') || request.lastEventId;
    const mustResume = lastEventId !== undefined && lastEventId === request.lastEventId;
    const scope = this.#scope;
    const implicit = target.subs;
    this.#exchange.admitHold(metaOf(instruct.meta)?.get('user'));
    return openHold(
      {
        id,
        clientAddress,
        response,
        instruct,
        scope,
        implicit,
        connectionSubscriptionMax,
        lastEventId,
        mustResume,
      },
      this.#exchange,
      deps.holds,
    );
  }

  /** The origin's own answer, which goes out at the time-out, is whole. */
  #complete(hold: ResponseHold, instruct: Instruct, body: Buffer): void {
    this.#exchange.held('response', instruct.response.code, hold);
    hold.complete(body);
  }

  #stream(hold: StreamHold, instruct: Instruct): AnswerSink {
    const sink = new StreamSink(hold, this.#exchange);
    const open = () => {
      hold.open();
      this.#exchange.held('stream', instruct.response.code, hold);
      sink.open();
    };
    // A client that has the head may rely on getting what is published from then on.
    const waits = hold.waits(() => {
      if (hold.failure !== undefined) this.#exchange.fail(hold.failure);
      if (hold.isOver) return;
      try {
        open();
      } catch (error) {
        this.#exchange.fail(error as Error);
      }
    });
    if (!waits) open();
    return sink;
  }

  /** Reads the body whole, within its limit. */
  #collect(then: (body: Buffer) => void, abandon: () => void): AnswerSink {
    const { target, deps } = this.#exchange;
    const { instructBodyMax } = deps.settings;
    const kept = new KeptBytes();
    const fail = (error: Error) => {
      abandon();
      this.#exchange.fail(error);
    };
    return {
      onData: (chunk) => {
        kept.add(chunk);
        if (kept.length > instructBodyMax) fail(tooLarge(target));
        return true;
      },
      onEnd: () => {
        try {
          then(kept.whole());
        } catch (error) {
          fail(error as Error);
        }
      },
      onError: (error: OriginError) => {
        this.#exchange.brokenOff(error);
        fail(error);
      },
    };
  }
}

function tooLarge(target: Target): RequestError {
  const text = `GRIP instruct response too large from ${describeTarget(target)}`;
  return new RequestError('ERR_REQUEST_INSTRUCT_TOO_LARGE', text);
}

function filtersOf({ hold, channels = [] }: Instruct): string[] {
  return (hold?.channels ?? channels).flatMap(({ filters }) => filters);
}

/** Throws a `GripError` when the filter cannot be run. */
function filtered(filter: ResponseFilter, body: Buffer): Buffer {
  const result = filter.update(body);
  filter.finish();
  return result;
}

function decodedInstruct(instruct: Instruct): Instruct {
  const { response } = instruct;
  return { ...instruct, response: { ...response, headers: ofDecodedBody(response.headers) } };
}

/** The head of a body that goes out as it came: `Grip-Expose-Headers` does not hide the Content-Encoding that it needs. */
function relayedHead(instruct: Instruct, { headers }: ResponseHead): ResponseHead {
  const head = headOf(instruct);
  const codings = headerValues(headers, 'content-encoding');
  if (codings.length === 0 || headerValue(head.headers, 'content-encoding') !== undefined) return head;
  return { ...head, headers: [...head.headers, 'Content-Encoding', codings.join(', ')] };
}

function headOf(instruct: Instruct): ResponseHead {
  const { code, reason, headers } = instruct.response;
  return { status: code, reason, headers };
}

/**
 * Registers a hold of the kind that the instruct asks for. In one synchronous step: an item published after the origin
 * answered is either delivered to this hold or was accepted before the origin's answer reached this node.
 */
function openHold(opening: Opening, owner: HoldOwner, deps: HoldDeps): ResponseHold | StreamHold {
  const { instruct, scope } = opening;
  // One that leads nowhere is named in the log now, and not only when it is followed.
  for (const link of [instruct.links.next, instruct.links.gone]) {
    if (link !== undefined) deps.links.client.place(link.uri, scope);
  }
  const start = { ...opening, list: channelList(opening, instruct, deps.subscriber) };
  return instruct.hold?.mode === 'response' ? new ResponseHold(start, owner, deps) : new StreamHold(start, owner, deps);
}

/** Whether channels are named for nothing: without a hold they are of use for filters, a position and a next link only. */
function isHoldless({ hold, callback, channels = [], links, position }: Instruct): boolean {
  if (hold !== undefined || callback !== undefined || position === true || links.next !== undefined) return false;
  return channels.length > 0 && channels.every(({ filters }) => filters.length === 0);
}
