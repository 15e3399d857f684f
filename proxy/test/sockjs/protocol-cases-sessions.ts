/**
 * The cases of the SockJS protocol about sessions over HTTP, by the names that its own suite gives them
 * (sockjs-protocol 0.3.3).
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import {
  FORM,
  hasOptions,
  isCors,
  isNotCached,
  type ProtocolCase,
  type ProtocolCases,
  polls,
  SCRIPT,
  sends,
  TEXT,
} from './protocol-case.js';
import type { RawAnswer } from './protocol-client.js';

const PRELUDE = `${'h'.repeat(2_048)}\n`;
const STILL_OPEN = 'c[2010,"Another connection still open"]\n';
const GO_AWAY = 'c[3000,"Go away!"]\n';
/** Long enough for a server to notice that a client has come or gone. */
const NOTICED_MS = 250;

const chunks = async (answer: RawAnswer, ...texts: readonly string[]) => {
  for (const text of texts) equal(await answer.chunk(), text);
};

const streams = (it: ProtocolCase, url: string, headers = {}) => it.start('POST', `${url}/xhr_streaming`, { headers });

/** What a poll of a session gets whose last poll was broken off. */
const isForgotten = (text: string) => ok(['o\n', 'c[1002,"Connection interrupted"]\n'].includes(text), text);

const called = (name: string, frame: string) => `/**/${name}(${JSON.stringify(frame)});\r\n`;

const script = (frame: string) => `<script>\np(${JSON.stringify(frame)});\n</script>\r\n`;

const callbacks =
  (path: string): ProtocolCases[string] =>
  async (it) => {
    for (const name of ['%20', '*', 'abc(', 'abc%28']) {
      const { answer, text } = await it.ask('GET', it.url(`/a/a/${path}?c=${name}`));
      equal(answer.status, 500);
      match(text, /invalid "callback" parameter/);
    }
  };

const noCallback =
  (path: string): ProtocolCases[string] =>
  async (it) => {
    const { answer, text } = await it.ask('GET', it.url(`/a/a/${path}`));
    equal(answer.status, 500);
    match(text, /"callback" parameter required/);
  };

const refusesPayload = async (it: ProtocolCase, url: string, ask: object, why: RegExp) => {
  const { answer, text } = await it.ask('POST', url, ask);
  equal(answer.status, 500);
  match(text, why);
};

const submits = (it: ProtocolCase, url: string, body: string, headers: Record<string, string> = FORM) =>
  it.expect('POST', `${url}/jsonp_send`, { body, headers }, 200, 'ok');

const calls = (it: ProtocolCase, url: string, frame: string, name = 'x') =>
  it.expect('GET', `${url}/jsonp?c=${name}`, {}, 200, called(name, frame));

const hasCookie = (answer: RawAnswer, value = 'dummy') =>
  deepEqual(
    (answer.header('set-cookie') ?? '')
      .toLowerCase()
      .split(/\s*;\s*/)
      .slice(0, 2),
    [`jsessionid=${value}`, 'path=/'],
  );

/** Ranges of characters that a server is to escape, and of those that a browser does. */
const SERVER = [0x200c, 0x200f, 0x2028, 0x202f, 0x2060, 0x206f, 0xfff0, 0xffff];
const CLIENT = [
  0, 0x1f, 0x22, 0x22, 0x7f, 0x9f, 0xad, 0xad, 0x300, 0x333, 0x600, 0x604, 0x2000, 0x20ff, 0xf900, 0xffff,
];
function escaped(ranges: readonly number[]): string {
  let text = '';
  for (let i = 0; i < ranges.length; i += 2) {
    const [from = 0, to = 0] = ranges.slice(i);
    for (let code = from; code <= to; code++) text += `\\u${code.toString(16).padStart(4, '0')}`;
  }
  return text;
}

export const sessionCases: ProtocolCases = {
  'Protocol.simpleSession': async (it) => {
    const url = it.session();
    await polls(it, url, 'o\n');
    await sends(it, url, '["a"]');
    await polls(it, url, 'a["a"]\n');
    await it.expect('POST', it.url('/000/bad_session/xhr_send'), { body: '["a"]' }, 404);
    it.hang('POST', `${url}/xhr`);
    await delay(NOTICED_MS);
    await polls(it, url, STILL_OPEN);
  },
  'Protocol.closeSession': async (it) => {
    const url = it.session('close');
    for (const text of ['o\n', GO_AWAY, GO_AWAY]) await polls(it, url, text);
  },
  'XhrPolling.options': async (it) => {
    for (const last of ['xhr', 'xhr_send']) await hasOptions(it, `/abc/abc/${last}`, ['OPTIONS', 'POST']);
  },
  'XhrPolling.transport': async (it) => {
    const url = it.session();
    const headers = { Origin: 'test' };
    const opened = await it.expect('POST', `${url}/xhr`, { headers }, 200, 'o\n');
    equal(opened.contentType, SCRIPT);
    const sent = await it.expect('POST', `${url}/xhr_send`, { headers, body: '["x"]' }, 204, '');
    equal(sent.contentType, TEXT);
    for (const answer of [opened, sent]) {
      isCors(answer, 'test');
      isNotCached(answer);
    }
    await polls(it, url, 'a["x"]\n');
  },
  'XhrPolling.invalid_session': async (it) => {
    await it.expect('POST', `${it.session()}/xhr_send`, { body: '["x"]' }, 404);
  },
  'XhrPolling.invalid_json': async (it) => {
    const url = it.session();
    await polls(it, url, 'o\n');
    await refusesPayload(it, `${url}/xhr_send`, { body: '["x' }, /Broken JSON encoding\./);
    await refusesPayload(it, `${url}/xhr_send`, { body: '' }, /Payload expected\./);
    await sends(it, url, '["a"]');
    await polls(it, url, 'a["a"]\n');
  },
  'XhrPolling.content_types': async (it) => {
    const url = it.session();
    await polls(it, url, 'o\n');
    const types = [
      'text/plain',
      'T',
      'application/json',
      'application/xml',
      '',
      'application/json; charset=utf-8',
      'text/xml',
    ];
    for (const type of types) {
      await it.expect('POST', `${url}/xhr_send`, { body: '["a"]', headers: { 'Content-Type': type } }, 204, '');
    }
    await polls(it, url, `a[${types.map(() => '"a"').join(',')}]\n`);
  },
  'XhrPolling.request_headers_cors': async (it) => {
    for (const asked of ['a, b, c', '', undefined]) {
      const headers = {
        Origin: 'test',
        'Access-Control-Request-Method': 'POST',
        ...(asked !== undefined && { 'Access-Control-Request-Headers': asked }),
      };
      const { answer } = await it.ask('OPTIONS', `${it.session()}/xhr`, { headers });
      isCors(answer, 'test');
      equal(answer.header('access-control-allow-headers'), asked || undefined);
    }
  },
  'XhrPolling.sending_empty_frame': async (it) => {
    const url = it.session();
    await polls(it, url, 'o\n');
    for (const body of ['[]', '["a"]']) await sends(it, url, body);
    await polls(it, url, 'a["a"]\n');
  },
  'XhrStreaming.options': (it) => hasOptions(it, '/abc/abc/xhr_streaming', ['OPTIONS', 'POST']),
  'XhrStreaming.transport': async (it) => {
    const url = it.session();
    const stream = await streams(it, url, { Origin: 'test' });
    equal(stream.status, 200);
    equal(stream.contentType, SCRIPT);
    isCors(stream, 'test');
    isNotCached(stream);
    await chunks(stream, PRELUDE, 'o\n');
    await sends(it, url, '["x"]');
    await chunks(stream, 'a["x"]\n');
  },
  'XhrStreaming.response_limit': async (it) => {
    const url = it.session();
    const stream = await streams(it, url);
    await chunks(stream, PRELUDE, 'o\n');
    const message = JSON.stringify(['x'.repeat(128)]);
    for (let i = 0; i < 31; i++) {
      await sends(it, url, message);
      await chunks(stream, `a${message}\n`);
    }
    await chunks(stream, '');
  },
  'EventSource.transport': async (it) => {
    const url = it.session();
    const stream = await it.start('GET', `${url}/eventsource`);
    equal(stream.status, 200);
    equal(stream.contentType, 'text/event-stream');
    isNotCached(stream);
    await chunks(stream, '\r\n', 'data: o\r\n\r\n');
    for (const body of ['["x"]', '["  \\u0000\\n\\r "]']) {
      await sends(it, url, body);
      await chunks(stream, `data: a${body}\r\n\r\n`);
    }
  },
  'EventSource.response_limit': async (it) => {
    const url = it.session();
    const stream = await it.start('GET', `${url}/eventsource`);
    await chunks(stream, '\r\n', 'data: o\r\n\r\n');
    const message = JSON.stringify(['x'.repeat(4_096)]);
    await sends(it, url, message);
    await chunks(stream, `data: a${message}\r\n\r\n`, '');
  },
  'HtmlFile.transport': async (it) => {
    const url = it.session();
    const stream = await it.start('GET', `${url}/htmlfile?c=%63allback`);
    equal(stream.status, 200);
    equal(stream.contentType, 'text/html;charset=UTF-8');
    isNotCached(stream);
    const head = await stream.chunk();
    ok(head.length > 1_024);
    match(
      head,
      /^<!doctype html>\n<html><head>\n[\s\S]*var c = parent\.callback;\n {4}c\.start\(\);\n[\s\S]*<\/script>\s*$/,
    );
    await chunks(stream, script('o'));
    await sends(it, url, '["x"]');
    await chunks(stream, script('a["x"]'));
  },
  'HtmlFile.no_callback': noCallback('htmlfile'),
  'HtmlFile.invalid_callback': callbacks('htmlfile'),
  'HtmlFile.response_limit': async (it) => {
    const url = it.session();
    const stream = await it.start('GET', `${url}/htmlfile?c=callback`);
    await stream.chunk();
    await chunks(stream, script('o'));
    const message = JSON.stringify(['x'.repeat(4_096)]);
    await sends(it, url, message);
    await chunks(stream, script(`a${message}`), '');
  },
  'JsonPolling.transport': async (it) => {
    const url = it.session();
    const opened = await it.expect('GET', `${url}/jsonp?c=%63allback`, {}, 200, called('callback', 'o'));
    equal(opened.contentType, SCRIPT);
    isNotCached(opened);
    const sent = await submits(it, url, 'd=%5B%22x%22%5D');
    equal(sent.contentType, TEXT);
    isNotCached(sent);
    await calls(it, url, 'a["x"]', 'callback');
  },
  'JsonPolling.no_callback': noCallback('jsonp'),
  'JsonPolling.invalid_callback': callbacks('jsonp'),
  'JsonPolling.invalid_json': async (it) => {
    const url = it.session();
    await calls(it, url, 'o');
    await refusesPayload(it, `${url}/jsonp_send`, { headers: FORM, body: 'd=%5B%22x' }, /Broken JSON encoding\./);
    for (const body of ['', 'd=', 'p=p']) {
      await refusesPayload(it, `${url}/jsonp_send`, { headers: FORM, body }, /Payload expected\./);
    }
    await submits(it, url, 'd=%5B%22b%22%5D');
    await calls(it, url, 'a["b"]');
  },
  'JsonPolling.content_types': async (it) => {
    const url = it.session();
    await calls(it, url, 'o');
    await submits(it, url, 'd=%5B%22abc%22%5D');
    await submits(it, url, '["%61bc"]', { 'Content-Type': 'text/plain' });
    await calls(it, url, 'a["abc","%61bc"]');
  },
  'JsonPolling.close': async (it) => {
    const url = it.session('close');
    for (const frame of ['o', GO_AWAY.trim(), GO_AWAY.trim()]) await calls(it, url, frame);
  },
  'JsonPolling.sending_empty_frame': async (it) => {
    const url = it.session();
    await calls(it, url, 'o');
    for (const body of ['d=%5B%5D', 'd=%5B%22x%22%5D']) await submits(it, url, body);
    await calls(it, url, 'a["x"]');
  },
  'JsessionidCookie.basic': async (it) => {
    const { answer, text } = await it.ask('GET', it.url('/info', 'cookie_needed_echo'));
    equal(answer.header('set-cookie'), undefined);
    equal((JSON.parse(text) as { cookie_needed: boolean }).cookie_needed, true);
  },
  'JsessionidCookie.xhr': async (it) => {
    hasCookie(await polls(it, it.session('cookie_needed_echo'), 'o\n'));
    const headers = { Cookie: 'JSESSIONID=abcdef' };
    hasCookie(await it.expect('POST', `${it.session('cookie_needed_echo')}/xhr`, { headers }, 200, 'o\n'), 'abcdef');
  },
  'JsessionidCookie.xhr_streaming': async (it) => hasCookie(await streams(it, it.session('cookie_needed_echo'))),
  'JsessionidCookie.eventsource': async (it) =>
    hasCookie(await it.start('GET', `${it.session('cookie_needed_echo')}/eventsource`)),
  'JsessionidCookie.htmlfile': async (it) =>
    hasCookie(await it.start('GET', `${it.session('cookie_needed_echo')}/htmlfile?c=%63allback`)),
  'JsessionidCookie.jsonp': async (it) => {
    const url = it.session('cookie_needed_echo');
    hasCookie(await calls(it, url, 'o', 'callback'));
    hasCookie(await submits(it, url, 'd=%5B%22x%22%5D'));
  },
  'JSONEncoding.xhr_server_encodes': async (it) => {
    const url = it.session();
    await polls(it, url, 'o\n');
    const text = escaped(SERVER);
    await sends(it, url, `["${JSON.parse(`"${text}"`)}"]`);
    await polls(it, url, `a["${text}"]\n`);
  },
  'JSONEncoding.xhr_server_decodes': async (it) => {
    const url = it.session();
    await polls(it, url, 'o\n');
    const text = `["${escaped(CLIENT)}"]`;
    await sends(it, url, text);
    const { text: frame } = await it.ask('POST', `${url}/xhr`);
    deepEqual(JSON.parse(frame.slice(1)), JSON.parse(text));
  },
  'HandlingClose.close_frame': async (it) => {
    const url = it.session('close');
    const first = await streams(it, url);
    await chunks(first, PRELUDE, 'o\n', GO_AWAY);
    const second = await streams(it, url);
    await chunks(second, PRELUDE, GO_AWAY, '');
    await chunks(first, '');
  },
  'HandlingClose.close_request': async (it) => {
    const url = it.session();
    await chunks(await streams(it, url), PRELUDE, 'o\n');
    await chunks(await streams(it, url), PRELUDE, STILL_OPEN, '');
  },
  'HandlingClose.abort_xhr_streaming': async (it) => {
    const url = it.session();
    const first = await streams(it, url);
    await chunks(first, PRELUDE, 'o\n');
    await chunks(await streams(it, url), PRELUDE, STILL_OPEN, '');
    first.close();
    await delay(NOTICED_MS);
    const third = await streams(it, url);
    await chunks(third, PRELUDE);
    isForgotten(await third.chunk());
  },
  'HandlingClose.abort_xhr_polling': async (it) => {
    const url = it.session();
    await polls(it, url, 'o\n');
    const waiting = it.hang('POST', `${url}/xhr`);
    await delay(NOTICED_MS);
    await polls(it, url, STILL_OPEN);
    waiting.close();
    await delay(NOTICED_MS);
    isForgotten((await it.ask('POST', `${url}/xhr`)).text);
  },
  'Http10.streaming': async (it) => {
    const ask = { version: '1.0', headers: { Connection: 'Keep-Alive' } } as const;
    const stream = await it.start('POST', `${it.session('close')}/xhr_streaming`, ask);
    equal(stream.status, 200);
    deepEqual([stream.header('transfer-encoding'), stream.header('content-length')], [undefined, undefined]);
    const whole = `${PRELUDE}o\n${GO_AWAY}`;
    equal(await stream.bytes(whole.length), whole);
    await stream.closed();
  },
  'Http11.streaming': async (it) => {
    const stream = await it.start('POST', `${it.session('close')}/xhr_streaming`);
    equal(stream.status, 200);
    equal(stream.header('transfer-encoding'), 'chunked');
    equal(stream.header('content-length'), undefined);
    await chunks(stream, PRELUDE, 'o\n', GO_AWAY, '');
  },
};
