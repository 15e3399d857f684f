/**
 * Whatever a client, an origin or a publisher sends, the work for it grows no faster than its length: each reader is given
 * lists and texts of the worst kinds, and much longer ones of the same.
 */
import t from 'tap';
import { growth, LINEAR_MAX } from '../../grip/dist-test/growth.js';
import { AllowedOrigins } from '../dist/config/types/allowed-origins.js';
import { corsHeaders } from '../dist/cross-origin/cors.js';
import { isCallbackName } from '../dist/cross-origin/jsonp.js';
import { checkHandshake, checkRequest } from '../dist/edge/request-check.js';
import { checkUwsRequest } from '../dist/edge/uws/heads.js';
import { withId } from '../dist/history/tokens.js';
import { mergeHeaders } from '../dist/holds/response-answer.js';
import { namedByConnection } from '../dist/http/fields.js';
import { requestHeaders } from '../dist/origin/headers.js';
import { takeResumeRequest } from '../dist/sessions/client-request.js';
import { quote, readMessages, sentText } from '../dist/sockjs/frames.js';
import { callbackOf, readPlace } from '../dist/sockjs/sockjs-path.js';
import { extensionsNamed } from '../dist/websocket/message-socket.js';
import { NO_RULES } from './origin/forward-rules.js';

const list = (size: number, entry: (i: number) => string) => Array.from({ length: size }, (_, i) => entry(i)).join(',');
const fields = (size: number, name = (i: number) => `x-${i}`) =>
  Array.from({ length: size }, (_, i) => [name(i), 'v']).flat();

const forwarded = (headers: readonly string[]) =>
  requestHeaders(
    {
      ...{
        headers,
        clientHost: '',
        clientAddress: '127.0.0.1',
        host: 'a',
        secure: false,
        websocket: false,
        trusted: false,
      },
      ...{ routeHeaders: [['X-A', 'b']], origHeaders: true, speaksGrip: true, grip: [] },
    },
    NO_RULES,
  );
const head = (headers: readonly string[], target = '/') => ({ method: 'GET', target, version: '1.1', headers });
const any = AllowedOrigins.any;

/** By what is read: the work on an input of that size. */
const readers: Readonly<Record<string, (size: number) => () => unknown>> = {
  'a Connection field of many names, before as many fields': (size) => {
    const headers = ['Connection', list(size, (i) => `x-${i}`), ...fields(size)];
    return () => [namedByConnection(headers), forwarded(headers)];
  },
  'many Connection fields': (size) => {
    const headers = fields(size, () => 'Connection');
    return () => [namedByConnection(headers), forwarded(headers)];
  },
  'a long X-Forwarded-For': (size) => {
    const headers = ['X-Forwarded-For', list(size, () => '1.1.1.1')];
    return () => forwarded(headers);
  },
  'a head of many fields': (size) => {
    const headers = ['host', 'a', ...fields(size)];
    return () => [
      checkRequest(head(headers)),
      checkUwsRequest(
        { ...head(headers), headers: [...headers], clientAddress: '', isAltered: false, isProxied: false },
        1e9,
      ),
      checkHandshake(head(headers)),
    ];
  },
  'a long Host': (size) => () => {
    for (const part of ['a', ':', '[', '1:', '%', 'a.']) checkRequest(head(['Host', part.repeat(size)]));
    checkRequest(head(['Host', `[${'1:'.repeat(size)}`]));
  },
  'a long target': (size) => () => {
    for (const part of ['/', 'http://', '?', '#', '/a', '@']) {
      checkRequest(head(['Host', 'a'], `/${part.repeat(size)}`));
      checkRequest(head(['Host', 'a'], `http://${part.repeat(size)}`));
    }
  },
  'a list of extensions': (size) => () => {
    for (const part of ['a,', '"', 'a="b",', 'grip,', ',', '"\\', 'a;b="\\"",', ' ', '"a']) {
      extensionsNamed([part.repeat(size)], 'grip');
    }
  },
  'CORS for an answer of many fields, and a preflight of many names': (size) => {
    const request = ['Origin', 'https://a', 'Access-Control-Request-Headers', list(size, (i) => `x-${i}`)];
    const answer = [...fields(size), ...fields(size, () => 'Vary')];
    return () => corsHeaders(request, answer, any);
  },
  'an Origin of any length': (size) => () => {
    for (const part of ['a', 'https://', 'a.', ':1', '[', 'https://a ']) {
      corsHeaders(['Origin', part.repeat(size)], [], any);
      corsHeaders(['Origin', `https://${part.repeat(size)}`], [], any);
    }
  },
  'a callback': (size) => () => {
    for (const part of ['a', 'a.', 'a[1]', 'a[', '$_', '.', 'a..']) isCallbackName(`a${part.repeat(size)}-`);
  },
  'a SockJS path and query': (size) => () => {
    for (const part of ['/', '/a', '.', '/iframe', 'html', '%']) readPlace('/s', `/s${part.repeat(size)}`);
    callbackOf(`/s?${'c=a&'.repeat(size)}`);
    sentText('jsonp_send', `/s?${'d=%5B&'.repeat(size)}`, Buffer.alloc(0));
  },
  'a SockJS payload': (size) => () => {
    for (const text of ['['.repeat(size), `[${'"",'.repeat(size)}`, `["${'\\u2028'.repeat(size)}"]`]) {
      try {
        readMessages(text);
      } catch {}
    }
    quote('\u2028\ud800'.repeat(size));
  },
  'a query with the wish to resume': (size) => {
    const path = `/p?${'holdfast-resume=x&a=b&'.repeat(size)}`;
    return () => takeResumeRequest(path);
  },
  'the fields of a hold and of the item that answers it': (size) => {
    const held = fields(size);
    const published = ['Grip-Expose-Headers', list(size, (i) => `x-${i}`), ...fields(size, (i) => `y-${i}`)];
    return () => mergeHeaders(held, published);
  },
  'an event': (size) => {
    const contents = ['\n', '\r', 'id', '\nid', '\r\n', 'id\n'].map((part) => Buffer.from(`${part.repeat(size)}\n\n`));
    return () => contents.map((content) => withId(content, 'x'));
  },
};

for (const [what, prepare] of Object.entries(readers)) {
  t.test(what, async (t) => {
    const ratio = await growth(1_000, prepare);
    t.ok(ratio < LINEAR_MAX, `${ratio}`);
  });
}
