/**
 * An origin that keeps a log of events and streams it as reliable event streams do: pages that are joined by next
 * links, then a hold; ids made by filters; recovery by Grip-Last and Last-Event-ID. It can be stopped and started
 * again.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import type { Test } from 'tap';
import { until } from '../until.js';

/** One event of the log. */
export interface LogEvent {
  /** Its place in the log, from 1 on. */
  readonly n: number;
  readonly meta: Readonly<Record<string, string>>;
}

const CHANNEL = 'events-room';

/** Events on one page; more are behind its next link. */
const PAGE = 3;

/** A log behind HTTP. */
export class LogOrigin {
  readonly log: LogEvent[] = [];
  /** Paths and Grip-Last of the requests so far. */
  readonly asked: string[] = [];
  #server: Server | undefined;
  #port = 0;

  /** Starts one on a free port; it ends with the test. */
  static async start(t: Test): Promise<LogOrigin> {
    const origin = new LogOrigin();
    await origin.listen();
    t.teardown(() => origin.stop());
    return origin;
  }

  /** `127.0.0.1:port`. */
  get target(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens: after `stop` on the same port again, with the same log. */
  async listen(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Dies: connections are cut, new ones refused. */
  stop(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  /**
   * Dies and comes back, with the same log; `meanwhile` is done while it is away. That is until it was asked in vain, and
   * once more: a connection that was kept, and is found closed, is replaced without counting as a failure.
   */
  async restart(meanwhile: () => Promise<unknown>): Promise<void> {
    this.stop();
    let tried = 0;
    const dead: TcpServer = createTcpServer((socket) => {
      tried++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => dead.listen(this.#port, '127.0.0.1', resolve));
    await meanwhile();
    await until('two to connect', () => tried > 1);
    await new Promise((resolve) => dead.close(resolve));
    await this.listen();
  }

  /** Writes an event into the log, and gives the item to publish, or not. */
  add(meta: Readonly<Record<string, string>> = {}): object {
    const n = this.log.length + 1;
    this.log.push({ n, meta });
    return {
      channel: CHANNEL,
      id: `${n}`,
      'prev-id': `${n - 1}`,
      meta,
      formats: { 'http-stream': { content: `id: %I\ndata: ${n}\n\n`, 'content-filters': ['build-id'] } },
    };
  }

  /** What a user is to see of the log from an event on. */
  visible(user: string, from = 0): number[] {
    return this.log.filter((event) => event.n > from && isFor(event, user)).map(({ n }) => n);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/', headers } = request;
    this.asked.push(`${url} ${headers['grip-last'] ?? ''}`.trim());
    const user = new URL(url, 'http://origin').searchParams.get('user') ?? '';
    const last = /last-id=(\d+)$/.exec(`${headers['grip-last'] ?? ''}`) ?? /:(\d+)$/.exec(idOf(headers));
    const from = last === null ? this.log.length : Number(last[1]);
    const page = this.log.slice(from, from + PAGE);
    const isWhole = from + PAGE >= this.log.length;
    const fields = {
      'Content-Type': 'text/event-stream',
      'Grip-Channel': `${CHANNEL}; prev-id=${page.at(-1)?.n ?? from}; filter=build-id; filter=skip-users; filter=require-sub`,
      'Grip-Link': `</events?user=${user}&link=next>; rel=next; timeout=100`,
      'Grip-Set-Meta': `id_format="room:%(${CHANNEL})s", user="${user}"`,
      'Grip-Keep-Alive': 'event: keep-alive\\ndata:\\n\\n; format=cstring; timeout=20',
    };
    response.writeHead(200, isWhole ? { ...fields, 'Grip-Hold': 'stream' } : fields);
    response.end(
      page
        .filter((event) => isFor(event, user))
        .map(({ n }) => `id: %(room:${n})I\ndata: ${n}\n\n`)
        .join(''),
    );
  }
}

function idOf(headers: IncomingMessage['headers']): string {
  return `${headers['last-event-id'] ?? ''}`;
}

function isFor({ meta }: LogEvent, user: string): boolean {
  const skipped = (meta.skip_users ?? '').split(',').map((name) => name.trim());
  return (user === '' || !skipped.includes(user)) && (meta.require_sub ?? CHANNEL) === CHANNEL;
}
