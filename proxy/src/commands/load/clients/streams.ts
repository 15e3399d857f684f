/** Clients that keep one answer open: streams and event streams. */
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, isIP, type NetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import {
  type End,
  type Ending,
  errorEnding,
  headersOf,
  type Kind,
  type Listener,
  makeRequest,
  statusEnding,
  type Target,
} from './transport.js';

/** For `http.request`: a connection for each client alone, as for users at different places, with a full handshake of TLS. */
function connectorOf({ url }: Target) {
  if (url.protocol !== 'https:') return (options: object) => connectTcp(options as NetConnectOpts);
  const servername = isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0 ? { servername: url.hostname } : {};
  return (options: object) =>
    connectTls({ ...options, ...servername, ALPNProtocols: ['http/1.1'] } as ConnectionOptions);
}

/** What an answer lacks; of an event stream what browsers want, which do not come again after it. */
function faultOf(kind: Kind, response: IncomingMessage): Ending | undefined {
  if (response.statusCode !== 200) return statusEnding(response);
  const { 'content-type': type = 'none', 'content-encoding': coding = 'identity' } = response.headers;
  if (kind === 'sse' && !/^text\/event-stream *(;|$)/i.test(type))
    return { reason: `content type ${type.slice(0, 60)}`, isFinal: true };
  if (coding === 'identity') return undefined;
  return { reason: `content encoding ${coding.slice(0, 60)}`, isFinal: true };
}

/** Opens a stream. `lastId` is the id of the last event that the client has had, or empty. */
export function openStream(target: Target, client: number, lastId: string, listener: Listener): End {
  const headers = headersOf(target, {
    Accept: target.kind === 'sse' ? 'text/event-stream' : '*/*',
    ...(target.kind === 'sse' && { 'Cache-Control': 'no-cache' }),
    // Nothing is decoded: that would be work of this machine.
    'Accept-Encoding': 'identity',
    ...(lastId !== '' && { 'Last-Event-ID': lastId }),
    Connection: 'keep-alive',
  });
  const request = makeRequest(target, {
    headers,
    ...target.own.take(client),
    createConnection: connectorOf(target),
  });
  let isOver = false;
  const over = (ending: Ending | undefined) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    request.destroy();
    // Of an answer that has ended, the library leaves it open.
    request.socket?.destroy();
    if (ending !== undefined) listener.ended(ending);
  };
  const timer = setTimeout(over, target.timeout, { reason: 'no answer in time' });
  const failed = (error: Error) => over(errorEnding(error));
  request.on('error', failed);
  request.on('response', (response) => {
    clearTimeout(timer);
    response.on('error', failed);
    const fault = faultOf(target.kind, response);
    if (fault !== undefined) return over(fault);
    listener.held();
    response.setEncoding('latin1');
    response.on('data', (text: string) => void listener.text(text));
    response.on('end', () => over({ reason: 'ended by the server' }));
  });
  request.end();
  return () => over(undefined);
}
