/**
 * A thousand clients that are held, and a publisher beside them: streams and WebSockets must get every item once and
 * in order, long polls exactly the one that is theirs, and nobody's connection may end.
 */
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';
import type { NodeUnderTest } from './node-under-test.js';

/** How many of each kind. */
export interface Numbers {
  readonly streams: number;
  readonly polls: number;
  readonly sockets: number;
  readonly eventSockets: number;
}

export const THOUSAND: Numbers = { streams: 400, polls: 300, sockets: 200, eventSockets: 100 };

/** Between two items of the publisher, in ms. */
const PACE_MS = 100;
/** After this long something has been lost, or the publisher is shut out. */
const LIMIT_MS = 20_000;
/** Clients that connect at the same time. */
const OPENING = 50;

/** What one client of numbered items has got. */
class Tally {
  readonly name: string;
  next = 0;
  fault: string | undefined;
  #partial = '';

  constructor(name: string) {
    this.name = name;
  }

  /** Takes a part of a text of lines, each a number. */
  text(part: string): void {
    const lines = (this.#partial + part).split('\n');
    this.#partial = lines.pop() as string;
    for (const line of lines) this.line(line);
  }

  line(line: string): void {
    if (line === `${this.next}`) this.next++;
    else this.fail(`got ${JSON.stringify(line.slice(0, 100))} in place of item ${this.next}`);
  }

  fail(text: string): void {
    this.fault ??= `${this.name} ${text}`;
  }
}

/** The clients and the publisher of one node. */
export class HeldClients {
  readonly #node: NodeUnderTest;
  readonly #tallies: Tally[] = [];
  readonly #closers: (() => void)[] = [];
  readonly #faults: string[] = [];
  #polls: Promise<string>[] = [];
  readonly #pollCount: number;
  #round = 0;
  #published = 0;
  #isPublishing = true;
  #isOver = false;
  #publisher: Promise<void> = Promise.resolve();

  private constructor(node: NodeUnderTest, pollCount: number) {
    this.#node = node;
    this.#pollCount = pollCount;
  }

  /** Connects them all, and starts the publisher once they are held. */
  static async open(node: NodeUnderTest, { streams, polls, sockets, eventSockets }: Numbers): Promise<HeldClients> {
    const clients = new HeldClients(node, polls);
    const openers: (() => Promise<void>)[] = [
      ...Array.from({ length: streams }, (_, i) => () => clients.#stream(`stream ${i}`)),
      ...Array.from({ length: sockets }, (_, i) => () => clients.#socket(`WebSocket ${i}`, '/good/ws')),
      ...Array.from(
        { length: eventSockets },
        (_, i) => () => clients.#socket(`WebSocket over HTTP ${i}`, '/good/events'),
      ),
    ];
    const lane = async () => {
      for (let opener = openers.pop(); opener !== undefined; opener = openers.pop()) await opener();
    };
    await Promise.all(Array.from({ length: OPENING }, lane));
    await clients.#poll();
    await clients.#subscribed('held', streams + sockets + eventSockets);
    clients.#publisher = clients.#publish();
    return clients;
  }

  /** Resolves, with what anybody has noticed, when all have all that has been published, and long polls wait again. */
  async look(): Promise<string[]> {
    this.#isPublishing = false;
    await this.#publisher;
    const { polls, published } = { polls: this.#polls, published: this.#published };
    const text = `round ${this.#round}`;
    await this.#post({ channel: 'polled', formats: { 'http-response': { body: text } } });
    const answers = await Promise.race([Promise.all(polls), delay(LIMIT_MS)]);
    const wrong = answers?.find((answer) => answer !== text);
    if (answers === undefined) this.#faults.push('a long poll was not answered');
    else if (wrong !== undefined)
      this.#faults.push(`a long poll got ${JSON.stringify(wrong.slice(0, 200))} in place of ${text}`);
    const behind = () => this.#tallies.filter((tally) => tally.next < published && tally.fault === undefined);
    for (const deadline = Date.now() + LIMIT_MS; behind().length > 0 && Date.now() < deadline; ) await delay(10);
    for (const tally of behind()) tally.fail(`has only ${tally.next} of ${published} items`);
    const faults = [...this.#faults, ...this.#tallies.flatMap(({ fault }) => fault ?? [])];
    if (faults.length === 0) {
      await this.#poll();
      this.#isPublishing = true;
      this.#publisher = this.#publish();
    }
    return faults.length > 5 ? [...faults.slice(0, 5), `and ${faults.length - 5} more`] : faults;
  }

  /** Lets them go. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.#isPublishing = false;
    await this.#publisher;
    for (const close of this.#closers) close();
  }

  #url(path: string, scheme = 'http'): string {
    return `${scheme}://127.0.0.1:${this.#node.port('clients')}${path}`;
  }

  async #stream(name: string): Promise<void> {
    const tally = new Tally(name);
    const answer = await this.#get('/good/stream/held');
    tally.next = -1;
    answer.setEncoding('utf8').on('data', (text: string) => {
      if (tally.next >= 0) tally.text(text);
      else if (text.startsWith('[opened]\n')) {
        tally.next = 0;
        tally.text(text.slice('[opened]\n'.length));
      } else tally.fail(`got ${text}`);
    });
    answer.on('error', () => {});
    answer.on('close', () => this.#isOver || tally.fail('ended'));
    this.#tallies.push(tally);
  }

  async #socket(name: string, path: string): Promise<void> {
    const tally = new Tally(name);
    const socket = new WebSocket(this.#url(path, 'ws'), { perMessageDeflate: false });
    this.#closers.push(() => socket.terminate());
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.on('message', (data) => tally.line(String(data)));
    socket.on('error', () => {});
    socket.on('close', (code) => this.#isOver || tally.fail(`was closed with ${code}`));
    socket.send('!subscribe held');
    this.#tallies.push(tally);
  }

  async #poll(): Promise<void> {
    this.#round++;
    this.#polls = Array.from({ length: this.#pollCount }, async () => {
      try {
        const answer = await this.#get('/good/response/polled');
        let text = '';
        for await (const part of answer.setEncoding('utf8')) text += part;
        return text;
      } catch (error) {
        return `the end of the connection: ${(error as Error).message}`;
      }
    });
    await this.#subscribed('polled', this.#pollCount);
  }

  #get(path: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = get(this.#url(path), { agent: false }, resolve).on('error', reject);
      this.#closers.push(() => request.destroy());
    });
  }

  /** Waits until a channel has so many subscribers. */
  async #subscribed(channel: string, count: number): Promise<void> {
    const url = `http://127.0.0.1:${this.#node.port('control')}/channels/${channel}`;
    for (const deadline = Date.now() + LIMIT_MS; ; await delay(20)) {
      const { subscribers } = (await (await fetch(url)).json()) as { subscribers: Record<string, number> };
      const sum = Object.values(subscribers).reduce((total, each) => total + each, 0);
      if (sum === count) return;
      if (Date.now() > deadline) throw new Error(`${sum} of ${count} clients are subscribed to ${channel}`);
    }
  }

  async #publish(): Promise<void> {
    for (; this.#isPublishing; await delay(PACE_MS)) {
      const text = `${this.#published}`;
      const item = {
        channel: 'held',
        formats: { 'http-stream': { content: `${text}\n` }, 'ws-message': { content: text } },
      };
      if (!(await this.#post(item))) return;
      this.#published++;
    }
  }

  /** Publishes on a connection of its own, as a publisher that has just started does; true when it was acknowledged. */
  async #post(item: object): Promise<boolean> {
    const url = `http://127.0.0.1:${this.#node.port('control')}/publish/`;
    try {
      const signal = AbortSignal.timeout(LIMIT_MS);
      const response = await fetch(url, {
        method: 'POST',
        headers: { connection: 'close' },
        body: JSON.stringify({ items: [item] }),
        signal,
      });
      const text = await response.text();
      if (response.status === 200) return true;
      this.#faults.push(`a publish was answered ${response.status} ${text}`);
    } catch (error) {
      this.#faults.push(`a publish was not answered: ${(error as Error).cause ?? (error as Error).message}`);
    }
    return false;
  }
}
