/** One client of each kind on one channel of a running Holdfast, and questions to its control API. */
import type { Test } from 'tap';
import { type Answer, ask, open } from './clients/http-client.js';
import { openWs, type WsClient, wsUrl } from './clients/ws-client.js';
import { startEcho } from './echo-fixture.js';
import { type Holdfast, type HoldfastOptions, startHoldfast } from './holdfast.js';
import { kinds } from './origins/echo-origin.js';
import { responseHold, startOrigin, streamHold } from './origins/origin.js';

/** What the control API answers, always JSON. */
export interface View {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Asks the control API. */
export async function view(t: Test, holdfast: Holdfast, path: string, method = 'GET'): Promise<View> {
  const { status, text, headers } = await ask(t, `${holdfast.control}${path}`, { method });
  if (headers['content-type'] !== 'application/json') throw new Error(`not JSON: ${text}`);
  return { status, body: JSON.parse(text) };
}

/** A Holdfast with an origin that holds what is asked of it on the channel of its query, for the user of that, and an echo origin. */
export async function startViews(t: Test, settings: HoldfastOptions['settings'] = {}): Promise<Holdfast> {
  const http = await startOrigin(t, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
    const channel = searchParams.get('channel') ?? 'room';
    const user = searchParams.get('user');
    const meta = user === null ? {} : { 'Grip-Set-Meta': `user=${user}` };
    if (pathname === '/stream') response.writeHead(200, { ...streamHold(channel), ...meta }).end('opened\n');
    else response.writeHead(200, responseHold(channel)).end('nothing new\n');
  });
  const echo = await startEcho(t, 'direct');
  return startHoldfast(t, {
    settings: { log_format: 'json', subscription_linger: 0, client_half_close_grace: 0, ...settings },
    routes: [`*,id=web ${http.target}`, `*,id=sockets,proto=ws ${echo.target}${kinds.direct}`],
  });
}

/** One client of each kind on `room`. */
export interface Clients {
  readonly poll: Promise<Answer>;
  readonly stream: Answer;
  readonly socket: WsClient;
}

/** Opens them, `tag` being their query; they are subscribed when this resolves. */
export async function openClients(t: Test, holdfast: Holdfast, tag: string): Promise<Clients> {
  const stream = await open(t, `${holdfast.clients}/stream?${tag}`);
  await stream.until('opened\n');
  const poll = ask(t, `${holdfast.clients}/poll?${tag}`);
  poll.catch(() => {});
  await holdfast.holds('response', 1);
  const socket = await openWs(t, wsUrl(holdfast.clients, `/ws?${tag}`));
  socket.send('!subscribe room');
  await socket.ping('subscribed');
  return { poll, stream, socket };
}

/** The id of the only request for a path, as the log shows it. */
export async function idOf(holdfast: Holdfast, path: string): Promise<string> {
  const { id } = await holdfast.record(path, ({ url }) => typeof url === 'string' && url.endsWith(path));
  return id as string;
}
