/**
 * A world without sockets in which streams follow a log: a node of the product's own composition under a clock that stands still,
 * an origin that keeps the log and says everything after any of its ids, a publisher, and clients.
 */
import { parseItem, type ResponseHead } from '@holdfast/grip';
import type { SubscriberEnd } from '../../dist/channels/subscriber-deps.js';
import { OriginError } from '../../dist/errors.js';
import type { AnswerSink, Origin, OriginCall, OriginHandler, OriginRequest } from '../../dist/origin/port.js';
import { configOf, type MadeNode, makeNode, noteCalls } from '../kit/app.js';
import { ManualClock } from '../kit/manual-clock.js';
import { MemoryResponse, memoryRequest } from './memory-response.js';

const CHANNEL = 'log';

/** Seconds of silence after which a link is due. */
const LINK_TIMEOUT = 30;

/** Longest delay of anything an origin says, in ms. */
export const MAX_DELAY = 400;

const config = configOf({ routes: ['* 127.0.0.1:1'], settings: { client_queue_size: 1_000_000 } });

/** How an origin gives one answer. */
export interface Manner {
  /** Pauses before the head, before each half of the body, and before the end, in ms. */
  readonly pauses: readonly [number, number, number, number];
  /** It fails instead: before the head, or with a status. */
  readonly fails?: 'error' | 'status' | undefined;
}

/** One stream of the world. */
export interface Followed {
  readonly client: MemoryResponse;
  /** The number of the item after which its body begins. */
  readonly from: number;
}

/** The world. */
export class LogWorld implements Origin {
  readonly clock = new ManualClock(0);
  readonly streams: Followed[] = [];
  readonly ends: SubscriberEnd[] = [];
  /** How many requests the origin got. */
  asked = 0;
  /** How many items the log has: their ids are the numbers from 1 on. */
  length = 0;
  readonly #manners: Manner[];
  readonly #made: MadeNode;

  private constructor(manners: readonly Manner[]) {
    this.#manners = [...manners];
    const overrides = {
      clock: this.clock,
      random: () => 0,
      origins: { origin: () => this, close: () => Promise.resolve() },
    };
    this.#made = makeNode({ overrides }, config);
    noteCalls(this.#made.parts.requests.events, 'holdEnded', (_request, _route, end) => void this.ends.push(end));
  }

  /** The origin answers in these manners, one after the other, and then at once. */
  static async make(manners: readonly Manner[]): Promise<LogWorld> {
    const world = new LogWorld(manners);
    const { backplane, delivery } = world.#made.parts;
    await backplane.start(delivery);
    return world;
  }

  /** Ends it: what is thrown in the product is in its log. */
  async end(): Promise<void> {
    const [fault] = this.#made.log.at('error');
    await this.#made.node.stop();
    if (fault !== undefined) throw new Error(fault.message);
  }

  /** The origin adds an item to its log; publishing it is another matter. */
  add(): number {
    return ++this.length;
  }

  /** Publishes an item of the log. */
  publish(n: number): void {
    const item = parseItem({
      channel: CHANNEL,
      id: `${n}`,
      'prev-id': `${n - 1}`,
      formats: { 'http-stream': { content: `${n},` } },
    });
    void this.#made.parts.backplane.publish([{ type: 'item', item, id: `${n}` }]);
  }

  /** Has all streams recover. */
  recover(): void {
    void this.#made.parts.backplane.publish([{ type: 'recover' }]);
  }

  /** A client asks for the log from here on; its stream begins with what the origin says to it. */
  open(): void {
    const client = new MemoryResponse();
    this.streams.push({ client, from: this.length });
    this.#made.parts.handler.onRequest(memoryRequest(), client);
  }

  /** What the body of a stream should be, as far as the log goes. */
  expected({ from }: Followed): string {
    return Array.from({ length: this.length - from }, (_, i) => `${from + i + 1},`).join('');
  }

  /**
   * Moves time on by steps that are no longer than any delay, so that what is asked within them is answered within them:
   * calls between the parts may be made in microtasks.
   */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.clock.advance(Math.min(left, 100));
      await Promise.resolve();
      await Promise.resolve();
    }
  }

  dispatch(request: OriginRequest, handler: OriginHandler): OriginCall {
    if (request.path === '/') return this.#answer(this.length, handler);
    const last = request.headers[request.headers.indexOf('Grip-Last') + 1] ?? '';
    const from = Number(/^log; last-id=(\d+)$/.exec(last)?.[1]);
    if (Number.isNaN(from)) throw new Error(`not asked from where to go on: ${JSON.stringify(request.headers)}`);
    return this.#answer(from, handler);
  }

  /** Says all that is in the log now, whatever is added while it is being said. */
  #answer(from: number, handler: OriginHandler): OriginCall {
    this.asked++;
    const { pauses, fails } = this.#manners.shift() ?? { pauses: [0, 0, 0, 0] };
    const { length } = this;
    const told = Array.from({ length: length - from }, (_, i) => `${from + i + 1},`);
    const half = told.length >> 1;
    const headers = [
      ...['Grip-Hold', 'stream', 'Grip-Channel', `${CHANNEL}; prev-id=${length}`],
      ...['Grip-Link', `</next>; rel=next; timeout=${LINK_TIMEOUT}`],
    ];
    const head: ResponseHead = { status: fails === 'status' ? 503 : 200, reason: '', headers };
    let sink: AnswerSink | undefined;
    const steps = [
      () => {
        sink = handler.onHead(head, undefined);
      },
      () => sink?.onData(Buffer.from(told.slice(0, half).join(''))),
      () => sink?.onData(Buffer.from(told.slice(half).join(''))),
      () => sink?.onEnd(),
    ];
    if (fails === 'error') steps.splice(0, 4, () => handler.onError(new OriginError('ERR_ORIGIN_CLOSED', 'x', 'no')));
    let aborted = false;
    const step = (i: number) => {
      this.clock.after(pauses[i] ?? 0, () => {
        if (aborted) return;
        steps[i]?.();
        if (i + 1 < steps.length) step(i + 1);
      });
    };
    step(0);
    return {
      resume() {},
      abort: () => {
        aborted = true;
      },
    };
  }
}
