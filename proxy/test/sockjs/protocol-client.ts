/** An HTTP client that sees answers as they are framed, chunk by chunk, for cases of the SockJS protocol. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { connect, type Socket } from 'node:net';

/** How long a client waits for the next bytes, in ms. */
const PATIENCE_MS = 20_000;

/** An answer, read as far as it was asked for. */
export class RawAnswer {
  status = 0;
  version = '';
  readonly #socket: Socket;
  #buffer = '';
  #ended = false;
  #wake: (() => void) | undefined;
  #fields = new Map<string, string>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#buffer += text;
      this.#wake?.();
    });
    const ended = () => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('end', ended).on('error', ended).on('close', ended);
  }

  /** The values of a field, joined. */
  header(name: string): string | undefined {
    return this.#fields.get(name);
  }

  /** The same, without spaces. */
  get contentType(): string {
    return (this.header('content-type') ?? '').replaceAll(' ', '');
  }

  async readHead(): Promise<this> {
    const [line = '', ...fields] = (await this.#take(/^([\s\S]*?)\r\n\r\n/)).trimEnd().split('\r\n');
    const [, version = '', status = ''] = /^HTTP\/(\S+) (\d+)/.exec(line) ?? [];
    this.version = version;
    this.status = Number(status);
    this.#fields = new Map();
    for (const field of fields) {
      const [name = '', value = ''] = field.split(/:\s*(.*)/);
      const known = this.#fields.get(name.toLowerCase());
      this.#fields.set(name.toLowerCase(), known === undefined ? value : `${known}, ${value}`);
    }
    return this;
  }

  /** The next chunk, with the line break behind it; empty for the last one. */
  async chunk(): Promise<string> {
    const size = Number.parseInt(await this.#take(/^([0-9a-f]+)[^\n]*\r\n/i), 16);
    return utf8((await this.bytes(size + 2)).slice(0, -2));
  }

  async bytes(count: number): Promise<string> {
    await this.#until(() => this.#buffer.length >= count);
    const bytes = this.#buffer.slice(0, count);
    this.#buffer = this.#buffer.slice(count);
    return bytes;
  }

  /** The whole body, however it is framed. */
  async body(): Promise<string> {
    if (this.status === 204 || this.status === 304) return '';
    const length = this.header('content-length');
    if (length !== undefined) return utf8(await this.bytes(Number(length)));
    let all = '';
    for (let part = await this.chunk(); part !== ''; part = await this.chunk()) all += part;
    return all;
  }

  /** Fails unless the connection ends without another byte. */
  async closed(): Promise<void> {
    await this.#until(() => this.#ended || this.#buffer !== '');
    equal(this.#buffer, '');
  }

  send(text: string): void {
    this.#socket.write(Buffer.from(text));
  }

  close(): void {
    this.#socket.destroy();
  }

  async #take(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.#buffer));
    const [whole = '', part = ''] = pattern.exec(this.#buffer) ?? [];
    this.#buffer = this.#buffer.slice(whole.length);
    return part;
  }

  async #until(here: () => boolean): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (!here()) {
      ok(!this.#ended, 'the connection ended early');
      ok(Date.now() < end, `nothing more came after ${JSON.stringify(this.#buffer.slice(-200))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

const utf8 = (bytes: string) => Buffer.from(bytes, 'latin1').toString();

/** What may differ in a request. */
export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly version?: '1.0' | '1.1';
}

/** Requests of one case; their connections are closed with it. */
export class ProtocolClient {
  readonly #answers: RawAnswer[] = [];

  /** Sends a request on a connection of its own; the result has its head. */
  async start(method: string, url: string, ask: Ask = {}): Promise<RawAnswer> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const answer = new RawAnswer(socket);
    this.#answers.push(answer);
    return this.again(answer, method, url, ask);
  }

  /** Sends a request on the connection of an answer that is complete. */
  async again(answer: RawAnswer, method: string, url: string, ask: Ask = {}): Promise<RawAnswer> {
    this.#send(answer, method, url, ask);
    return answer.readHead();
  }

  /** A request whose answer nobody waits for yet. */
  hang(method: string, url: string): RawAnswer {
    const { hostname, port } = new URL(url);
    const answer = new RawAnswer(connect(Number(port), hostname));
    this.#answers.push(answer);
    this.#send(answer, method, url, {});
    return answer;
  }

  /** A whole answer. */
  async ask(method: string, url: string, ask: Ask = {}): Promise<{ answer: RawAnswer; text: string }> {
    const answer = await this.start(method, url, ask);
    const text = await answer.body();
    answer.close();
    return { answer, text };
  }

  /** Fails unless the answer is of this status and, where given, of this text. */
  async expect(method: string, url: string, ask: Ask, status: number, text?: string): Promise<RawAnswer> {
    const whole = await this.ask(method, url, ask);
    deepEqual({ status: whole.answer.status, text: text === undefined ? undefined : whole.text }, { status, text });
    return whole.answer;
  }

  end(): void {
    for (const answer of this.#answers) answer.close();
  }

  #send(answer: RawAnswer, method: string, url: string, { headers = {}, body, version = '1.1' }: Ask): void {
    const { host } = new URL(url);
    const content = body ?? (method === 'POST' ? '' : undefined);
    const length = content === undefined ? [] : [`Content-Length: ${Buffer.byteLength(content)}`];
    // Not by URL: what is odd about a path is to stay.
    const path = url.slice(url.indexOf(host) + host.length);
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    answer.send(
      [`${method} ${path} HTTP/${version}`, `Host: ${host}`, ...fields, ...length, '', content ?? ''].join('\r\n'),
    );
  }
}
