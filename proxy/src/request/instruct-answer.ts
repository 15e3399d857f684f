/**
 * Owns: what an origin's GRIP response leads to: an answer without its GRIP parts, or a hold.
 * Does not own: the decision that a response is GRIP, asking again, or the holds.
 */
import {
  type HoldMode,
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
import { type Coding, codingsOf } from '../decoding/codings.js';
import { DecodedBody } from '../decoding/decoded-body.js';
import type { ClientRequest, ClientResponse } from '../edge/port.js';
import type { HoldOwner, HoldParts } from '../holds/hold.js';
import { openHold } from '../holds/open.js';
import { ResponseHold } from '../holds/response-hold.js';
import type { StreamHold } from '../holds/stream-hold.js';
import { ofChangedBytes, ofDecodedBody } from '../http/body-fields.js';
import { RequestError } from '../http/errors.js';
import type { LinkScope } from '../links/link-scope.js';
import type { OriginError } from '../origin/errors.js';
import { describeTarget } from '../origin/failover.js';
import type { OriginCall } from '../origin/port.js';
import type { Target } from '../routes/target.js';
import { KeptBytes } from '../runtime/kept-bytes.js';
import type { AnswerBody } from './answer.js';
import { LateBody } from './late-body.js';

/** The exchange that the instruct came to: told what became of it, and the owner of the hold if there is one. */
export interface InstructOwner extends HoldOwner {
  /** There is no hold: this head, with the body as the origin sends it, is the answer. Says who takes the body. */
  instructRelayed(head: ResponseHead, length: number | undefined): AnswerBody;
  /** There is no hold, and the answer has gone out whole. */
  instructAnswered(status: number): void;
  /** The request is a hold from here on. */
  instructHeld(mode: HoldMode, status: number): void;
  /** Nothing of the body is on its way any more, where some was when its last byte had come. */
  instructWhole(): void;
  /** There is neither: nothing has been written to the client. */
  instructFailed(error: Error): void;
}

/** Where an instruct is carried out. */
export interface InstructScene {
  readonly request: ClientRequest;
  readonly response: ClientResponse;
  /** Who gave the instruct. */
  readonly target: Target;
  /** What its body comes by. */
  readonly call: OriginCall;
  /** Where its links are relative to. */
  readonly scope: LinkScope;
  /** Most channels of one instruct. */
  readonly connectionSubscriptionMax: number;
  /** Longest body that is read whole, in bytes. */
  readonly bodyMax: number;
  readonly holds: HoldParts;
}

const EMPTY = Buffer.alloc(0);

/**
 * Carries out one GRIP response. Made when its head is there; then fed with its body, which is decoded where more is done with it
 * than relaying it: items are joined to it, a filter changes it, or it is the instruct itself.
 */
export class InstructAnswer implements AnswerBody {
  readonly #scene: InstructScene;
  readonly #owner: InstructOwner;
  #body: AnswerBody;
  /** What decodes the body, while some of it is there. */
  #decoding: DecodedBody | undefined;
  /** Of the origin's answer, until they have been looked at. */
  #headers: RawHeaders;

  /**
   * Throws a `GripError` when an instruct in headers cannot be understood, an `OriginError` when its body cannot be decoded, and
   * what `writeHead` throws.
   */
  constructor(scene: InstructScene, head: ResponseHead, length: number | undefined, owner: InstructOwner) {
    this.#scene = scene;
    this.#headers = head.headers;
    this.#owner = owner;
    if (instructKind(head) === 'json') {
      const document = this.#collect(
        (body) => this.#obeyJson(parseInstructJson(head, body)),
        () => {},
      );
      this.#body = this.#decoded(codingsOf(head.headers), document);
    } else {
      const instruct = parseInstructHeaders(head);
      this.#look(instruct);
      this.#body = this.#taker(instruct, head.headers) ?? owner.instructRelayed(relayedHead(instruct, head), length);
    }
  }

  onData(chunk: Buffer): boolean {
    return this.#body.onData(chunk);
  }

  onEnd(trailers?: RawHeaders): void {
    this.#body.onEnd(trailers);
  }

  onError(error: OriginError): void {
    this.#body.onError(error);
  }

  resume(): void {
    (this.#decoding ?? this.#scene.call).resume();
  }

  abort(): void {
    this.#decoding?.abort();
    this.#decoding = undefined;
  }

  get isBusy(): boolean {
    return this.#decoding !== undefined;
  }

  #obeyJson(instruct: Instruct): void {
    this.#look(instruct);
    const body = instruct.response.body ?? EMPTY;
    const taker = this.#taker(instruct, instruct.response.headers);
    if (taker === undefined) this.#answer(headOf(instruct), body);
    else {
      taker.onData(body);
      taker.onEnd();
    }
  }

  /** Tells the operator what of an instruct means nothing. */
  #look(instruct: Instruct): void {
    const { troubles } = this.#scene.holds.subscriber;
    const headers = this.#headers;
    this.#headers = [];
    if (troubles === undefined) return;
    const { request, target, scope } = this.#scene;
    const scene = { id: request.id, route: scope.route, target };
    troubles.instructed(scene, headers, filtersOf(instruct), instruct.unknown);
    const { hold, links } = instruct;
    if (hold?.channels.length === 0 && target.subs.length === 0 && links.next === undefined)
      troubles.channelless(scene);
  }

  /**
   * Who takes the body of the answer, whose fields, as far as they tell its codings, are `coded`. Undefined when nothing is to be
   * done with it: it may go out as it is.
   */
  #taker(instruct: Instruct, coded: RawHeaders): AnswerBody | undefined {
    const holds = this.#holds(instruct);
    const filter = holds ? undefined : responseFilter(filtersOf(instruct), metaOf(instruct.meta));
    if (!holds && filter === undefined) return undefined;
    const codings = codingsOf(coded);
    const plain = codings.length === 0 ? instruct : decodedInstruct(instruct);
    if (filter === undefined) return this.#decoded(codings, this.#hold(plain));
    const head = headOf(plain);
    const changed = { ...head, headers: ofChangedBytes(head.headers) };
    const answer = this.#collect(
      (body) => this.#answer(changed, filtered(filter, body)),
      () => {},
    );
    return this.#decoded(codings, answer);
  }

  #hold(instruct: Instruct): AnswerBody {
    const hold = this.#open(instruct);
    if (!(hold instanceof ResponseHold)) return this.#stream(hold, instruct);
    return this.#collect(
      (body) => this.#complete(hold, instruct, body),
      () => hold.abandon(),
    );
  }

  /** Takes the codings off before `sink`. */
  #decoded(codings: readonly Coding[], sink: AnswerBody): AnswerBody {
    if (codings.length === 0) return sink;
    const end = (tell: () => void) => {
      this.#decoding = undefined;
      tell();
    };
    const plain: AnswerBody = {
      onData: (chunk) => sink.onData(chunk),
      onEnd: () => {
        end(() => sink.onEnd());
        this.#owner.instructWhole();
      },
      onError: (error) => end(() => sink.onError(error)),
    };
    const { call, holds } = this.#scene;
    this.#decoding = new DecodedBody(codings, plain, call, holds.subscriber.faults);
    return this.#decoding;
  }

  #answer(head: ResponseHead, body: Buffer): void {
    this.#scene.response.writeHead(head, body.length);
    this.#scene.response.end(body);
    this.#owner.instructAnswered(head.status);
  }

  /**
   * Whether the response stays open: held, or continued by a next link. A stream to which nothing can ever be appended
   * (RFC 9110 §6.4.1) is an answer, not a hold.
   */
  #holds({ hold, links, response: { code } }: Instruct): boolean {
    if (hold === undefined && links.next === undefined) return false;
    return hold?.mode === 'response' || !(this.#scene.request.method === 'HEAD' || code === 204 || code === 304);
  }

  #open(instruct: Instruct): ResponseHold | StreamHold {
    const { request, response, target, scope, connectionSubscriptionMax, holds } = this.#scene;
    const { id, clientAddress, headers } = request;
    const lastEventId = headerValue(headers, 'last-event-id');
    const implicit = target.subs;
    const opening = { id, clientAddress, response, instruct, scope, implicit, connectionSubscriptionMax, lastEventId };
    return openHold(opening, this.#owner, holds);
  }

  /** The origin's own answer, which goes out at the time-out, is whole. */
  #complete(hold: ResponseHold, instruct: Instruct, body: Buffer): void {
    this.#owner.instructHeld('response', instruct.response.code);
    hold.complete(body);
  }

  #stream(hold: StreamHold, instruct: Instruct): AnswerBody {
    // A client that has the head may rely on getting what is published from then on.
    const late = new LateBody(
      () => this.#owner.holdWritable(),
      (error) => {
        // The client has heard of nothing yet.
        if (hold.isOver) return;
        hold.abandon();
        this.#owner.instructFailed(error);
      },
    );
    const waits = hold.waits(() => {
      if (hold.failure !== undefined) this.#owner.instructFailed(hold.failure);
      if (hold.isOver) return;
      try {
        late.start(this.#openStream(hold, instruct));
      } catch (error) {
        this.#owner.instructFailed(error as Error);
      }
    });
    return waits ? late : this.#openStream(hold, instruct);
  }

  #openStream(hold: StreamHold, instruct: Instruct): AnswerBody {
    hold.open();
    this.#owner.instructHeld('stream', instruct.response.code);
    return {
      onData: (chunk) => hold.write(chunk),
      onEnd: () => hold.opened(),
      onError: () => hold.abandon(),
    };
  }

  /** Reads the body whole, within its limit. */
  #collect(then: (body: Buffer) => void, abandon: () => void): AnswerBody {
    const kept = new KeptBytes();
    const fail = (error: Error) => {
      abandon();
      this.#owner.instructFailed(error);
    };
    return {
      onData: (chunk) => {
        kept.add(chunk);
        if (kept.length > this.#scene.bodyMax) fail(tooLarge(this.#scene.target));
        return true;
      },
      onEnd: () => {
        try {
          then(kept.whole());
        } catch (error) {
          fail(error as Error);
        }
      },
      onError: fail,
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

/**
 * Of a body that goes out as it came: without its Content-Encoding nobody could read it, so `Grip-Expose-Headers` does not hide
 * that.
 */
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
