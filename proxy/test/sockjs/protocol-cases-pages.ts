/**
 * The cases of the SockJS protocol about pages, paths and the WebSocket transport, by the names that its own suite
 * gives them (sockjs-protocol 0.3.3).
 */
import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import {
  hasOptions,
  isCached,
  isCors,
  isNotCached,
  type ProtocolCase,
  type ProtocolCases,
  polls,
  sends,
  TEXT,
} from './protocol-case.js';

const IFRAME =
  /^<!DOCTYPE html>\n<html>\n<head>\n {2}<meta http-equiv="X-UA-Compatible" content="IE=edge" \/>\n {2}<meta http-equiv="Content-Type" content="text\/html; charset=UTF-8" \/>\n {2}<script src="(\/|http)[^"]*"><\/script>\n {2}<script>\n {4}document\.domain = document\.domain;\n {4}SockJS\.bootstrap_iframe\(\);\n {2}<\/script>\n<\/head>\n<body>\n {2}<h2>Don't panic!<\/h2>\n {2}<p>This is a SockJS hidden iframe\. It's used for cross domain magic\.<\/p>\n<\/body>\n<\/html>$/;

async function isIframe(it: ProtocolCase, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const { answer, text } = await it.ask('GET', it.url(path));
    equal(answer.status, 200);
    equal(answer.contentType, 'text/html;charset=UTF-8');
    isCached(answer);
    ok(answer.header('etag'));
    deepEqual([answer.header('last-modified'), answer.header('set-cookie')], [undefined, undefined]);
    match(text.trim(), IFRAME);
  }
}

const info = async (it: ProtocolCase, service?: string) => {
  const { text } = await it.ask('GET', it.url('/info', service));
  return JSON.parse(text) as Record<string, unknown>;
};

const webSocketEnds = async (it: ProtocolCase) => {
  const socket = await it.webSocket(`${it.session('close')}/websocket`);
  for (const text of ['o', 'c[3000,"Go away!"]', undefined]) await socket.expect(text);
};

const brokenJson = async (it: ProtocolCase) => {
  const socket = await it.webSocket(`${it.session()}/websocket`);
  await socket.expect('o');
  socket.send('["a');
  await socket.expect(undefined);
};

const upgrades = async (it: ProtocolCase, version: string, connection = 'Upgrade') => {
  const answer = await it.start('GET', `${it.session()}/websocket`, {
    headers: {
      Upgrade: 'websocket',
      Connection: connection,
      'Sec-WebSocket-Version': version,
      'Sec-WebSocket-Origin': 'http://asd',
      'Sec-WebSocket-Key': 'x3JJHMbDL1EzLkh9GBhXDw==',
    },
  });
  equal(answer.status, 101);
  equal(answer.header('sec-websocket-accept'), 'HSmrc0sMlYUkAGmm5OPpG2HaGWk=');
  equal(answer.header('connection')?.toLowerCase(), 'upgrade');
  equal(answer.header('upgrade')?.toLowerCase(), 'websocket');
  equal(answer.header('content-length'), undefined);
};

export const pageCases: ProtocolCases = {
  'BaseUrlGreeting.greeting': async (it) => {
    for (const path of ['', '/']) {
      const answer = await it.expect('GET', it.url(path), {}, 200, 'Welcome to SockJS!\n');
      equal(answer.contentType, TEXT);
      equal(answer.header('set-cookie'), undefined);
    }
  },
  'BaseUrlGreeting.notFound': async (it) => {
    for (const path of ['/a', '/a.html', '//', '///', '/a/a', '/a/a/', '/a/']) {
      await it.expect('GET', it.url(path), {}, 404);
    }
  },
  'IframePage.simpleUrl': (it) => isIframe(it, ['/iframe.html']),
  'IframePage.versionedUrl': (it) =>
    isIframe(it, ['/iframe-a.html', '/iframe-.html', '/iframe-0.1.2.html', '/iframe-0.1.2abc-dirty.2144.html']),
  'IframePage.queriedUrl': (it) =>
    isIframe(it, ['/iframe-a.html?t=1234', '/iframe-0.1.2.html?t=123414', '/iframe-0.1.2abc-dirty.2144.html?t=q1']),
  'IframePage.invalidUrl': async (it) => {
    for (const path of [
      '/iframe.htm',
      '/iframe',
      '/IFRAME.HTML',
      '/IFRAME',
      '/iframe.HTML',
      '/iframe.xml',
      '/iframe-/.html',
    ]) {
      await it.expect('GET', it.url(path), {}, 404);
    }
  },
  'IframePage.cacheability': async (it) => {
    const tags: string[] = [];
    for (let i = 0; i < 2; i++) tags.push((await it.ask('GET', it.url('/iframe.html'))).answer.header('etag') ?? '');
    equal(tags[0], tags[1]);
    notEqual(tags[0], '');
    const headers = { 'If-None-Match': tags[0] ?? '' };
    const again = await it.expect('GET', it.url('/iframe.html'), { headers }, 304, '');
    equal(again.header('content-type'), undefined);
  },
  'InfoTest.basic': async (it) => {
    const { answer, text } = await it.ask('GET', it.url('/info'), { headers: { Origin: 'test' } });
    equal(answer.status, 200);
    equal(answer.contentType, 'application/json;charset=UTF-8');
    equal(answer.header('set-cookie'), undefined);
    isNotCached(answer);
    isCors(answer, 'test');
    const { websocket, cookie_needed, origins, entropy } = JSON.parse(text) as Record<string, unknown>;
    deepEqual([websocket, origins], [true, ['*:*']]);
    deepEqual([typeof cookie_needed, Number.isInteger(entropy)], ['boolean', true]);
  },
  'InfoTest.entropy': async (it) => notEqual((await info(it)).entropy, (await info(it)).entropy),
  'InfoTest.options': (it) => hasOptions(it, '/info', ['OPTIONS', 'GET']),
  'InfoTest.options_null_origin': async (it) => {
    const headers = { Origin: 'null', 'Access-Control-Request-Method': 'POST' };
    const answer = await it.expect('OPTIONS', it.url('/info'), { headers }, 204, '');
    equal(answer.header('access-control-allow-origin'), 'null');
  },
  'InfoTest.disabled_websocket': async (it) => equal((await info(it, 'disabled_websocket_echo')).websocket, false),
  'SessionURLs.anyValue': async (it) => {
    const some = Math.random().toString(36).slice(2);
    for (const path of [`/a/a${some}`, `/_/_${some}`, `/1/1${some}`, `/abcdefgh_i-j%20/abcdefg_i-j%20${some}`]) {
      await polls(it, it.url(path), 'o\n');
    }
  },
  'SessionURLs.invalidPaths': async (it) => {
    for (const path of ['//', '/a./a', '/a/a.', '/./.', '/', '///']) {
      for (const method of ['GET', 'POST']) await it.expect(method, it.url(`${path}/xhr`), {}, 404);
    }
  },
  'SessionURLs.ignoringServerId': async (it) => {
    const url = it.session();
    await polls(it, url, 'o\n');
    await sends(it, url, '["a"]');
    await polls(it, url.replace('/000/', '/999/'), 'a["a"]\n');
  },
  'WebsocketHttpErrors.httpMethod': async (it) => {
    await it.expect('GET', it.url('/0/0/websocket'), {}, 400);
  },
  'WebsocketHttpErrors.invalidConnectionHeader': async (it) => {
    await it.expect('GET', it.url('/0/0/websocket'), { headers: { Upgrade: 'WebSocket', Connection: 'close' } }, 400);
  },
  'WebsocketHttpErrors.invalidMethod': async (it) => {
    for (const headers of [{ Upgrade: 'WebSocket', Connection: 'Upgrade' }, {}]) {
      const answer = await it.expect('POST', it.url('/0/0/websocket'), { headers }, 405, '');
      equal(answer.header('content-type'), undefined);
      ok(answer.header('allow'));
    }
  },
  'WebsocketHixie76.transport': async (it) => {
    const socket = await it.webSocket(`${it.session()}/websocket`);
    await socket.expect('o');
    socket.send('["a"]');
    await socket.expect('a["a"]');
  },
  'WebsocketHixie76.close': webSocketEnds,
  'WebsocketHixie76.empty_frame': async (it) => {
    const socket = await it.webSocket(`${it.session()}/websocket`);
    await socket.expect('o');
    for (const text of ['', '[]', '["a"]']) socket.send(text);
    await socket.expect('a["a"]');
  },
  'WebsocketHixie76.reuseSessionId': async (it) => {
    const url = `${it.session()}/websocket`;
    const sockets = [await it.webSocket(url), await it.webSocket(url)];
    for (const [i, socket] of sockets.entries()) {
      await socket.expect('o');
      socket.send(`["${i}"]`);
      await socket.expect(`a["${i}"]`);
      socket.close();
    }
    const third = await it.webSocket(url);
    await third.expect('o');
    third.send('["a"]');
    await third.expect('a["a"]');
  },
  'WebsocketHixie76.broken_json': brokenJson,
  'WebsocketHybi10.transport': async (it) => {
    const socket = await it.webSocket(`${it.session()}/websocket`);
    await socket.expect('o');
    for (const text of ['', '["a"]']) socket.send(text);
    await socket.expect('a["a"]');
    socket.close();
    await socket.expect(undefined);
  },
  'WebsocketHybi10.close': webSocketEnds,
  'WebsocketHybi10.headersSanity': async (it) => {
    for (const version of ['13', '8', '7']) await upgrades(it, version);
  },
  'WebsocketHybi10.broken_json': brokenJson,
  'WebsocketHybi10.firefox_602_connection_header': (it) => upgrades(it, '7', 'keep-alive, Upgrade'),
  'RawWebsocket.transport': async (it) => {
    const socket = await it.webSocket(it.url('/websocket'));
    socket.send('Hello world!\uffff');
    await socket.expect('Hello world!\uffff');
  },
  'RawWebsocket.close': async (it) => {
    const socket = await it.webSocket(it.url('/websocket', 'close'));
    await socket.expect(undefined);
    equal(socket.reason, 'Go away!');
  },
  'Http10.synchronous': async (it) => {
    const ask = { version: '1.0', headers: { Connection: 'Keep-Alive' } } as const;
    const answer = await it.start('GET', it.url(), ask);
    equal(answer.status, 200);
    equal(answer.header('transfer-encoding'), undefined);
    equal(await answer.bytes(19), 'Welcome to SockJS!\n');
    const isKept =
      answer.header('connection')?.toLowerCase() === 'keep-alive' && answer.header('content-length') === '19';
    if (isKept) equal((await it.again(answer, 'GET', it.url(), ask)).status, 200);
    else await answer.closed();
  },
  'Http11.synchronous': async (it) => {
    const ask = { headers: { Connection: 'Keep-Alive' } };
    const answer = await it.start('GET', it.url(), ask);
    ok(['keep-alive', ''].includes(answer.header('connection')?.toLowerCase() ?? ''));
    equal(await answer.body(), 'Welcome to SockJS!\n');
    equal((await it.again(answer, 'GET', it.url(), ask)).status, 200);
  },
};
