/** A chat of the examples as a child process that can be stopped and started again, and Holdfast in front of it. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';

/** The same chat, as an Express application and as a function; paths from the root. */
export const chats = {
  chat: 'examples/chat/server.mjs',
  'chat-lambda': 'examples/chat-lambda/runner.mjs',
} as const;

export type ChatName = keyof typeof chats;

/** What the chat sends to its clients. */
export interface Line {
  readonly type: 'text' | 'note' | 'error';
  readonly from?: string;
  readonly text: string;
}

/** One person in a room. */
export class Chatter {
  readonly client: WsClient;

  constructor(client: WsClient) {
    this.client = client;
  }

  /** Sends what is not text as the object that it is. */
  say(what: string | object): void {
    this.client.send(JSON.stringify(typeof what === 'string' ? { text: what } : what));
  }

  /** The next line. */
  async hear(): Promise<Line> {
    return JSON.parse(await this.client.text()) as Line;
  }
}

/** A chat that runs. */
export class Chat {
  readonly holdfast: Holdfast;
  readonly #start: () => Promise<Child>;
  #origin: Child;

  private constructor(holdfast: Holdfast, start: () => Promise<Child>, origin: Child) {
    this.holdfast = holdfast;
    this.#start = start;
    this.#origin = origin;
  }

  /** Starts origin and proxy, which end with the test. */
  static async start(t: Test, name: ChatName): Promise<Chat> {
    const [port, control] = [await freePort(), await freePort()];
    const start = async () => {
      const env = { PORT: `${port}`, GRIP_URL: `http://127.0.0.1:${control}/` };
      const child = startChild(t, { command: process.execPath, args: [join(root, chats[name])], env });
      await child.line(/listening on http:\/\/\S+\n/);
      return child;
    };
    const origin = await start();
    const holdfast = await startHoldfast(t, {
      routes: [`* 127.0.0.1:${port},over_http`],
      settings: { push_in_http_port: control },
    });
    return new Chat(holdfast, start, origin);
  }

  /** Ends the origin as an operator would; resolves when it has gone. */
  async stop(): Promise<void> {
    await this.#origin.stop();
  }

  async restart(): Promise<void> {
    this.#origin = await this.#start();
  }

  /** Opens a WebSocket to a room; nobody there hears of it before a name is given. */
  async enter(t: Test, room: string): Promise<Chatter> {
    return new Chatter(await openWs(t, wsUrl(this.holdfast.clients, `/rooms/${room}`)));
  }

  /** Enters under a name, and waits for the note that says so. */
  async join(t: Test, room: string, name: string): Promise<Chatter> {
    const chatter = await this.enter(t, room);
    chatter.say({ name });
    const { text } = await chatter.hear();
    if (text !== `${name} is here`) throw new Error(`'${text}' instead of a welcome`);
    return chatter;
  }
}
