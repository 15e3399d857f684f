/** A server that takes items as a control API does and passes them on to clients of each kind, with faults that a test plants. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';

/** A client as the server has it. */
export interface Held {
  /** In the order of their coming, from 0; one that comes again has a new number. */
  readonly index: number;
  /** The Last-Event-ID that it came with. */
  readonly lastId: string | undefined;
  write(number: number): void;
  /** Ends the connection. */
  cut(): void;
}

/** What a client gets when an item is published. */
export type Plant = (client: Held, number: number) => void;

/** What one gets that comes again, with the numbers that were published since. */
export type Replay = (client: Held, since: readonly number[]) => void;

/** A server with what was published to it. */
export interface PlantingServer {
  /** Base URL, without a slash at its end: `/sse`, `/stream`, `/poll`, `/ws`, and the control API. */
  readonly url: string;
  /** Numbers of the items that were published, as they came; without the one that nobody counts. */
  readonly published: readonly number[];
  readonly authorizations: ReadonlySet<string | undefined>;
  /** All that ever came. */
  readonly clients: readonly Held[];
  /** Answers of the control API that come before it takes anything: their statuses. */
  readonly refusals: number[];
}

interface Item {
  readonly id: string;
  readonly formats: Readonly<Record<string, { readonly content?: string; readonly body?: string }>>;
}

/** How a server is, beside what it plants. */
export interface PlantingOptions {
  readonly replay?: Replay;
  /** Streams are answered once so many have come, so that all are held at the same time. */
  readonly together?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Starts one that ends with the test. */
export async function startPlanting(t: Test, plant: Plant, options: PlantingOptions = {}): Promise<PlantingServer> {
  const { replay = () => {}, together = 1, tls } = options;
  const contents = new Map<number, string>();
  const published: number[] = [];
  const clients: Held[] = [];
  const open = new Set<Held>();
  const refusals: number[] = [];
  const authorizations = new Set<string | undefined>();

  const hold = (lastId: string | undefined, write: (content: string, number: number) => void, cut: () => void) => {
    const held: Held = {
      index: clients.length,
      lastId,
      write: (number) => write(contents.get(number) ?? '', number),
      cut: () => {
        open.delete(held);
        cut();
      },
    };
    clients.push(held);
    open.add(held);
    if (lastId !== undefined)
      replay(
        held,
        published.filter((number) => number > Number(lastId)),
      );
  };

  /** Streams that are not answered yet. */
  const waiting: (() => void)[] = [];

  // All long polls are of one client: what was written while it did not ask is the next answer.
  const answers: string[] = [];
  let asking: ServerResponse | undefined;
  const answer = () => {
    if (asking === undefined || answers.length === 0) return;
    asking.end(answers.shift());
    asking = undefined;
  };
  const poll = (response: ServerResponse) => {
    if (clients.length === 0)
      hold(
        undefined,
        (content) => {
          answers.push(content);
          answer();
        },
        () => {},
      );
    asking = response;
    answer();
  };

  const take = ({ id, formats }: Item) => {
    const number = Number(id.slice(id.lastIndexOf('-') + 1));
    if (number === 0) return;
    const [format = {}] = Object.values(formats);
    contents.set(number, format.content ?? format.body ?? '');
    published.push(number);
    for (const client of open) plant(client, number);
  };

  const publish = async (request: IncomingMessage, response: ServerResponse) => {
    authorizations.add(request.headers.authorization);
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    const items = (JSON.parse(body) as { items: Item[] }).items;
    const status = items.some(({ id }) => id.endsWith('-0')) ? undefined : refusals.shift();
    if (status !== undefined) return void response.writeHead(status).end('not now\n');
    for (const item of items) take(item);
    response.end('Published\n');
  };

  const listener: RequestListener = (request, response) => {
    if (request.url === '/publish/') return void publish(request, response);
    const lastId = request.headers['last-event-id'] as string | undefined;
    if (request.url === '/poll') return poll(response);
    const isSse = request.url === '/sse';
    if (!isSse && request.url !== '/stream') return void response.writeHead(404).end();
    waiting.push(() => {
      response.writeHead(200, { 'Content-Type': isSse ? 'text/event-stream' : 'text/plain' });
      response.write(isSse ? 'retry: 20\n\n' : '[open]\n');
      // What was written before reaches the client.
      const cut = () => response.end();
      hold(lastId, (content, number) => response.write(isSse ? `id: ${number}\n${content}` : content), cut);
    });
    if (clients.length + waiting.length >= together) for (const begin of waiting.splice(0)) begin();
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket: WebSocket) => {
    hold(
      undefined,
      (content) => socket.send(content),
      () => socket.terminate(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    sockets.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    published,
    authorizations,
    clients,
    refusals,
  };
}
