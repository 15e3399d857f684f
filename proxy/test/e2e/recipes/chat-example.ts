/** A chat of the examples as a child process that can be stopped and started again, and Holdfast in front of it. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';
import { type Cuttable, makeCuttable } from '../holds/cuttable.js';

/** The same chat, as an Express application and as a function; paths from the root. */
export const chats = {
  chat: 'examples/chat/server.mjs',
  'chat-lambda': 'examples/chat-lambda/runner.mjs',
} as const;

export type ChatName = keyof typeof chats;

/** What the chat, and the proxy for it, send to clients; the members that each type has are in conversation.mjs. */
export interface Line {
  readonly type: 'you' | 'text' | 'sent' | 'renamed' | 'here' | 'presence' | 'error';
  readonly user?: string;
  readonly from?: string;
  readonly name?: string;
  readonly text?: string;
  readonly id?: string;
  readonly at?: string;
  readonly members?: readonly { readonly user: string; readonly info: string }[];
  readonly join?: readonly { readonly user: string; readonly info: string }[];
  readonly leave?: readonly { readonly user: string }[];
}

/** One person in a room, and all that has come to it. */
export class Chatter {
  readonly client: WsClient;
  readonly lines: Line[] = [];
  #read = 0;

  constructor(client: WsClient) {
    this.client = client;
    client.socket.on('message', (data) => this.lines.push(JSON.parse(data.toString()) as Line));
  }

  /** Sends what is not text as the object that it is. */
  say(what: string | object): void {
    this.client.send(JSON.stringify(typeof what === 'string' ? { text: what } : what));
  }

  /** The next line of a type, which others may come before. */
  async hear(type: Line['type']): Promise<Line> {
    const line = await until(
      `a line of type ${type}`,
      () => {
        const index = this.lines.findIndex((line, i) => i >= this.#read && line.type === type);
        if (index >= 0) this.#read = index + 1;
        return this.lines[index];
      },
      () => JSON.stringify(this.client.closed ?? this.lines),
    );
    return line;
  }

  /** All that was said in the room so far, as `Ann: hello`. */
  get said(): string[] {
    return this.lines.filter(({ type }) => type === 'text').map(({ from, text }) => `${from}: ${text}`);
  }

  /** Waits until so much was said. */
  async hears(...said: readonly string[]): Promise<void> {
    await until(
      said.join(', '),
      () => this.said.length >= said.length,
      () => JSON.stringify(this.client.closed ?? this.lines),
    );
    if (JSON.stringify(this.said) !== JSON.stringify(said)) throw new Error(`heard ${this.said} instead of ${said}`);
  }

  /** Waits until somebody, by name or user, has come or gone. */
  async notices(what: 'join' | 'leave', who: string): Promise<void> {
    const of = (line: Line) => (what === 'join' ? line.join : line.leave) ?? [];
    const isWho = (change: { readonly user: string; readonly info?: string }) =>
      change.user === who || decodeURIComponent(change.info ?? '') === who;
    await until(
      `${what} of ${who}`,
      () => this.lines.some((line) => line.type === 'presence' && of(line).some(isWho)),
      () => JSON.stringify(this.lines),
    );
  }

  /** The names of who is here, as the chat lists them. */
  async who(): Promise<string[]> {
    this.say({ who: true });
    const { members = [] } = await this.hear('here');
    return members.map(({ info }) => decodeURIComponent(info));
  }
}

/** A chat that runs. Holdfast and origin have the same ports when they are started again. */
export class Chat {
  readonly #startOrigin: () => Promise<Child>;
  readonly #startHoldfast: () => Promise<Holdfast>;
  /** Between the origin and the control API, where the chat is started with it. */
  readonly control: Cuttable;
  holdfast: Holdfast;
  #origin: Child;

  private constructor(
    [startOrigin, origin]: readonly [() => Promise<Child>, Child],
    [startProxy, holdfast]: readonly [() => Promise<Holdfast>, Holdfast],
    control: Cuttable,
  ) {
    this.#startOrigin = startOrigin;
    this.#startHoldfast = startProxy;
    this.control = control;
    this.holdfast = holdfast;
    this.#origin = origin;
  }

  /** Starts origin and proxy, which end with the test; the origin publishes by `control` if it is wired. */
  static async start(t: Test, name: ChatName, isWired = false): Promise<Chat> {
    const [port, clients, controlPort] = [await freePort(), await freePort(), await freePort()];
    const control = await makeCuttable(t, `http://127.0.0.1:${controlPort}`);
    const startOrigin = async () => {
      const env = { PORT: `${port}`, GRIP_URL: isWired ? `${control.url}/` : `http://127.0.0.1:${controlPort}/` };
      const child = startChild(t, { command: process.execPath, args: [join(root, chats[name])], env });
      await child.line(/listening on http:\/\/\S+\n/);
      return child;
    };
    const startProxy = () =>
      startHoldfast(t, {
        routes: [`*,resume,presence_events 127.0.0.1:${port},over_http`],
        settings: { http_port: `127.0.0.1:${clients}`, push_in_http_port: controlPort, presence_delay: 1 },
      });
    return new Chat([startOrigin, await startOrigin()], [startProxy, await startProxy()], control);
  }

  /** Ends the origin as an operator would; resolves when it has gone. */
  async stop(): Promise<void> {
    await this.#origin.stop();
  }

  async restart(): Promise<void> {
    this.#origin = await this.#startOrigin();
  }

  /** Ends Holdfast as a crash would. */
  async killHoldfast(): Promise<void> {
    this.holdfast.child.signal('SIGKILL');
    await this.holdfast.child.exited;
  }

  async restartHoldfast(): Promise<void> {
    this.holdfast = await this.#startHoldfast();
  }

  /** Opens a WebSocket to a room, which gets nothing of it before a name is given. */
  async enter(t: Test, room: string): Promise<Chatter> {
    return new Chatter(await openWs(t, wsUrl(this.holdfast.clients, `/rooms/${room}`)));
  }

  /** Enters under a name, and waits until it is in the room. */
  async join(t: Test, room: string, name: string, key?: string): Promise<Chatter> {
    const chatter = await this.enter(t, room);
    chatter.say({ name, key });
    await chatter.hear('you');
    return chatter;
  }
}
