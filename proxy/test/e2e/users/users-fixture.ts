/** Holdfasts whose origin says who the user of each connection is, and clients of all kinds. */
import type { Test } from 'tap';
import { type Answer, ask, open } from '../../kit/clients/http-client.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, type HoldfastOptions, startHoldfast } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import type { View } from '../../kit/views-fixture.js';
import { startSocketOrigin } from './user-origin.js';

/**
 * Origins that take the user from the query: of long polls and streams by `Grip-Set-Meta`, of sessions by `set-meta`, and of those
 * that are asked over HTTP by `Set-Meta-User`.
 */
export async function userOrigins(t: Test): Promise<readonly string[]> {
  const http = await startOrigin(t, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
    const user = searchParams.get('user');
    const meta: Record<string, string> = user === null ? {} : { 'Grip-Set-Meta': `user="${user}"` };
    const channel = searchParams.get('channel') ?? 'room';
    if (pathname === '/over') {
      response.writeHead(200, {
        'Content-Type': 'application/websocket-events',
        ...(user !== null && { 'Set-Meta-User': user }),
      });
      response.end('OPEN\r\n');
    } else if (pathname === '/stream') response.writeHead(200, streamHold(channel, meta)).end('opened\n');
    else response.writeHead(200, responseHold(channel, meta)).end('nothing new\n');
  });
  const sockets = await startSocketOrigin(t);
  return [
    `*,id=over,proto=ws,path_beg=/over ${http.target},over_http`,
    `*,id=sockets,proto=ws ${sockets}`,
    `*,id=web ${http.target}`,
  ];
}

/** A Holdfast in front of such origins. */
export function startUsers(
  t: Test,
  routes: readonly string[],
  settings: HoldfastOptions['settings'] = {},
): Promise<Holdfast> {
  const usual = { log_format: 'json', subscription_linger: 0, client_half_close_grace: 0 };
  return startHoldfast(t, { settings: { ...usual, ...settings }, routes });
}

/** Asks the control API, with a body of JSON where there is one. */
export async function control(holdfast: Holdfast, method: string, path: string, body?: object): Promise<View> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const answer = await fetch(`${holdfast.control}${path}`, init);
  return { status: answer.status, body: (await answer.json()) as View['body'] };
}

/** The ids of a list, in its order. */
export const idsOf = ({ body }: View): readonly string[] => (body.connections as { id: string }[]).map(({ id }) => id);

/** A stream of a user, which is held. */
export async function stream(t: Test, holdfast: Holdfast, query: string): Promise<Answer> {
  const answer = await open(t, `${holdfast.clients}/stream?${query}`);
  await answer.until('opened\n');
  return answer;
}

/** A session of a user, whose origin has said so. */
export async function session(t: Test, holdfast: Holdfast, query: string, path = '/ws'): Promise<WsClient> {
  const socket = await openWs(t, wsUrl(holdfast.clients, `${path}?${query}`));
  if (path === '/ws') {
    socket.send('ready?');
    if ((await socket.text()) !== 'ready') throw new Error('the origin is not ready');
  }
  return socket;
}

/** A long poll of a user, which is held when this resolves: its answer is to come. */
export async function poll(t: Test, holdfast: Holdfast, query: string): Promise<{ readonly answer: Promise<Answer> }> {
  const answer = ask(t, `${holdfast.clients}/poll?${query}`);
  answer.catch(() => {});
  await holdfast.holds('response', 1);
  return { answer };
}
