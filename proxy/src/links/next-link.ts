/** Fetching a stream's next link: sharing the fetch, repeating one that failed, and checking what its answer says. */
import type { Faulty } from '@holdfast/control-api';
import { type Instruct, instructKind, parseInstructHeaders, type ResponseHead } from '@holdfast/grip';
import type { OriginError } from '../errors.js';
import { type AnswerSink, nowhere, type OriginCall, type OriginHandler } from '../origin/port.js';
import { channelOf, type LimitEvents, refusedChannel } from '../routes/channel-name.js';
import type { Clock, Timer } from '../runtime/clock.js';
import { Retry } from '../runtime/timers.js';
import type { LinkClient } from './link-client.js';
import { scopeAt } from './link-place.js';
import type { LinkScope } from './link-scope.js';
import type { SharedFetches } from './shared-fetch.js';

/** The stream whose link is fetched. After `linkEnded` or `linkFailed` nothing follows until the next `fetch`. */
export interface NextLinkOwner extends Faulty {
  /** The link has answered. */
  linkAnswered(instruct: Instruct, scope: LinkScope): void;
  /** A part of its body; false stops the flow until `resume`. */
  linkData(chunk: Buffer): boolean;
  linkEnded(): void;
  /** Nothing usable came, after all repeats. `partly` says that a part of the body had been passed on. */
  linkFailed(why: string, partly: boolean): void;
}

/** The same for all streams. */
export interface NextLinkDeps {
  readonly client: LinkClient;
  readonly fetches: SharedFetches;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: LimitEvents;
}

const NONE: ReadonlyMap<string, string> = new Map();

/**
 * The link of one stream. A fetch that fails before a byte of its body was passed on is repeated after 1, 2, 4, 8 and
 * 16 seconds, each with up to one more at random; a redirect is not, for it would be one again. The log says at once why it
 * failed.
 */
export class NextLink implements OriginHandler, AnswerSink {
  readonly #deps: NextLinkDeps;
  readonly #owner: NextLinkOwner;
  #uri = '';
  /** Of the response that named the link. */
  #scope: LinkScope | undefined;
  /** Of the answer that is awaited. */
  #answered: LinkScope | undefined;
  #lastIds: (() => ReadonlyMap<string, string>) | undefined;
  #sentIds: ReadonlyMap<string, string> = NONE;
  #retry: Retry | undefined;
  #call: OriginCall | undefined;
  #timer: Timer | undefined;
  #partly = false;
  /** What is asked. */
  #url = '';

  constructor(deps: NextLinkDeps, owner: NextLinkOwner) {
    this.#deps = deps;
    this.#owner = owner;
  }

  /** Whether a fetch is under way, or waits to be repeated. */
  get isBusy(): boolean {
    return this.#call !== undefined || this.#timer !== undefined;
  }

  /** The last ids that were sent to the origin with the request under way. */
  get sentIds(): ReadonlyMap<string, string> {
    return this.#sentIds;
  }

  /** Fetches a link that was named there, with the last ids, at each attempt those of then. Only when not busy. */
  fetch(uri: string, scope: LinkScope, lastIds: () => ReadonlyMap<string, string>): void {
    this.#uri = uri;
    this.#scope = scope;
    this.#lastIds = lastIds;
    this.#retry = new Retry(this.#deps.random);
    this.#attempt();
  }

  /** Goes on after a `linkData` that returned false. */
  resume(): void {
    this.#call?.resume();
  }

  /** Gives the fetch up. */
  stop(): void {
    this.#deps.clock.clear(this.#timer);
    this.#timer = undefined;
    this.#call?.abort();
    this.#call = undefined;
  }

  onInformation(): void {}

  onHead(head: ResponseHead): AnswerSink {
    const { status } = head;
    if (status === 304 || status < 200 || status > 399) {
      this.#failed(`the link was answered ${status}`);
      return nowhere;
    }
    if (status > 299) {
      this.#giveUp(`the link was answered ${status}: redirects are not followed`, false);
      return nowhere;
    }
    let instruct: Instruct;
    try {
      // A document would be there only with the end of the body, which is for the client.
      if (instructKind(head) === 'json') throw new Error('Next link returned application/grip-instruct.');
      instruct = parseInstructHeaders(head);
      if (instruct.hold?.mode === 'response') throw new Error('Next link returned non-stream hold.');
      for (const { name } of instruct.hold?.channels ?? instruct.channels ?? []) {
        const { route } = this.#scope as LinkScope;
        if (channelOf(route, name) === undefined) throw new Error(refusedChannel(route, name, this.#deps.events));
      }
    } catch (error) {
      this.#giveUp((error as Error).message, false);
      return nowhere;
    }
    this.#owner.linkAnswered(instruct, this.#answered as LinkScope);
    return this;
  }

  onData(chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    this.#partly = true;
    return this.#owner.linkData(chunk);
  }

  onEnd(): void {
    this.#call = undefined;
    this.#owner.linkEnded();
  }

  onError(error: OriginError): void {
    this.#failed('Failed to retrieve next link.', error);
  }

  #attempt(): void {
    const scope = this.#scope as LinkScope;
    const lastIds = (this.#lastIds as () => ReadonlyMap<string, string>)();
    this.#sentIds = lastIds;
    this.#partly = false;
    // Where it leads is decided anew: the routes may have been reloaded.
    const place = this.#deps.client.place(this.#uri, scope);
    if (place.kind === 'nowhere') {
      this.#owner.linkFailed('Failed to retrieve next link.', false);
      return;
    }
    this.#url = place.url;
    this.#answered = scopeAt(place, scope);
    const request = { marks: scope, method: 'GET', place, headers: [], lastIds } as const;
    const key = JSON.stringify([scope.route.key, place.kind, place.route.key, place.url, [...lastIds].sort()]);
    this.#call = this.#deps.fetches.fetch(key, (handler) => this.#deps.client.read(request, handler), this);
  }

  #failed(why: string, error?: OriginError): void {
    const partly = this.#partly;
    const delay = partly ? undefined : this.#retry?.next();
    if (delay === undefined) {
      this.#giveUp(why, partly, error);
      return;
    }
    this.stop();
    this.#warn('link failed and will be asked again', why, error);
    const again = () => {
      this.#timer = undefined;
      this.#attempt();
    };
    this.#timer = this.#deps.clock.after(delay, again, this.#owner);
  }

  #giveUp(why: string, partly: boolean, error?: OriginError): void {
    this.stop();
    this.#warn('link failed and its stream ends', why, error);
    this.#owner.linkFailed(why, partly);
  }

  /** The error of an origin says more than clients may see. */
  #warn(what: string, why: string, error: OriginError | undefined): void {
    this.#deps.client.warn(`${what}: ${error?.message ?? why}`, this.#url, this.#scope as LinkScope, error);
  }
}
