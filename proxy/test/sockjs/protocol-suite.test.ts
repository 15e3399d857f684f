/** The cases of the SockJS protocol's own suite against the real command on both edges: which are kept, and which are not. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { startHoldfast } from '../kit/holdfast.js';
import { ProtocolCase, type ProtocolCases } from './protocol-case.js';
import { pageCases } from './protocol-cases-pages.js';
import { sessionCases } from './protocol-cases-sessions.js';

const cases: ProtocolCases = { ...pageCases, ...sessionCases };

const NO_OPTION = 'an option of sockjs-node that Holdfast does not have';
const OLD_VERSION = 'only version 13 of WebSocket is spoken (RFC 6455)';
const STREAM_BYTES = 'a stream ends after 128 KiB; the suite wants a server with 4 KiB';
const HTTP_1_0 = 'no HTTP/1.0';
const LATE_ENDS = 'the line break behind a chunk goes out with the next one';

/** Why a case is not kept: docs/compatibility.md has the same list. */
const NEITHER: Readonly<Record<string, string>> = {
  'InfoTest.disabled_websocket': NO_OPTION,
  'WebsocketHttpErrors.invalidMethod': 'a POST that asks for a WebSocket is 400, with the reason; a plain one is 405',
  'WebsocketHybi10.headersSanity': OLD_VERSION,
  'WebsocketHybi10.firefox_602_connection_header': OLD_VERSION,
  'XhrStreaming.response_limit': STREAM_BYTES,
  'EventSource.response_limit': STREAM_BYTES,
  'HtmlFile.response_limit': STREAM_BYTES,
  'JsessionidCookie.basic': NO_OPTION,
  'JsessionidCookie.xhr': NO_OPTION,
  'JsessionidCookie.xhr_streaming': NO_OPTION,
  'JsessionidCookie.eventsource': NO_OPTION,
  'JsessionidCookie.htmlfile': NO_OPTION,
  'JsessionidCookie.jsonp': NO_OPTION,
};

const HALF_CLOSE = 'a client that has only ended its sending side may still be answered for client_half_close_grace';

const NODE: Readonly<Record<string, string>> = {
  'HandlingClose.abort_xhr_streaming': HALF_CLOSE,
  'HandlingClose.abort_xhr_polling': HALF_CLOSE,
};

const UWS: Readonly<Record<string, string>> = {
  'Http10.synchronous': HTTP_1_0,
  'Http10.streaming': HTTP_1_0,
  'XhrStreaming.transport': LATE_ENDS,
  'EventSource.transport': LATE_ENDS,
  'HtmlFile.transport': LATE_ENDS,
  'HandlingClose.close_request': LATE_ENDS,
  'HandlingClose.abort_xhr_streaming': LATE_ENDS,
};

/** Echoes, or closes at once. */
async function startServices(t: Test): Promise<string> {
  const origin = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.teardown(() => {
    for (const socket of origin.clients) socket.terminate();
    origin.close();
  });
  origin.on('connection', (socket, { url }) => {
    socket.on('error', () => {});
    if (url?.startsWith('/close')) socket.close(3_000, 'Go away!');
    else socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await once(origin, 'listening');
  return `127.0.0.1:${(origin.address() as AddressInfo).port}`;
}

const failureOf = async (run: () => Promise<void>) => {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error as Error;
  }
};

for (const [edge, own] of [
  ['node', NODE],
  ['uws', UWS],
] as const) {
  t.test(`the cases of the protocol, edge ${edge}`, async (t) => {
    const target = await startServices(t);
    const services = ['echo', 'close', 'disabled_websocket_echo', 'cookie_needed_echo'];
    const routes = services.map((name) => `*,path_beg=/${name},sockjs=/${name} ${target}`);
    const { clients } = await startHoldfast(t, { routes, settings: { edge } });
    const count = Object.keys(cases).length - Object.keys({ ...NEITHER, ...own }).length;
    t.ok(count >= 50, `${count} of ${Object.keys(cases).length}`);
    // All at once: each has its own sessions, and one that is not kept waits as long as a client has patience.
    const results = Object.entries(cases).map(async ([name, run]) => {
      const it = new ProtocolCase(clients);
      const failure = await failureOf(() => run(it));
      it.end();
      return { name, failure };
    });
    for (const { name, failure } of await Promise.all(results)) {
      const why = NEITHER[name] ?? own[name];
      if (why === undefined) t.equal(failure?.message, undefined, name);
      else t.ok(failure !== undefined, `${name}: ${why}`);
    }
  });
}
