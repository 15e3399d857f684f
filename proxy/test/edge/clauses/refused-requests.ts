/** Requests that every edge refuses. */
import { head } from '../../kit/clients/raw-client.js';

/** A request, and how it is refused: with 400 and what is wrong, unless it says otherwise. */
export interface Refused {
  readonly name: string;
  readonly says: string;
  readonly bytes: string;
  readonly status?: number;
  readonly text?: RegExp;
}

/** Heads that are refused, each for one reason. */
export const refusedRequests: readonly Refused[] = [
  { name: 'garbage', says: 'bytes that are not HTTP', bytes: '\x16\x03\x01 nonsense\r\n\r\n' },
  { name: 'method-unknown', says: 'a method that is no token', bytes: head('G@T', '/') },
  {
    name: 'method-case',
    says: 'a method in lower case',
    bytes: head('get', '/'),
    status: 501,
    text: /^Method not supported: get\.\n$/,
  },
  {
    name: 'method-joined',
    says: 'a method with the end of a body before it',
    bytes: head('abcGET', '/'),
    status: 501,
    text: /^Method not supported: abcGET\.\n$/,
  },
  {
    name: 'version-missing',
    says: 'a request line without a version',
    bytes: 'GET /\r\nHost: a\r\n\r\n',
    status: 505,
    text: /^HTTP version not supported\.\n$/,
  },
  { name: 'version-bad', says: 'a malformed version', bytes: 'GET / HTTP/1.x\r\nHost: a\r\n\r\n' },
  { name: 'length-bad', says: 'a Content-Length that is no number', bytes: head('POST', '/', ['Content-Length: 1x']) },
  { name: 'length-negative', says: 'a negative Content-Length', bytes: head('POST', '/', ['Content-Length: -1']) },
  {
    name: 'length-plus',
    says: 'a Content-Length with a sign',
    bytes: `${head('POST', '/', ['Content-Length: +1'])}a`,
  },
  {
    name: 'length-empty',
    says: 'an empty Content-Length',
    bytes: `${head('POST', '/', ['Content-Length:'])}a`,
  },
  {
    name: 'length-huge',
    says: 'a Content-Length beyond every number',
    bytes: head('POST', '/', ['Content-Length: 99999999999999999999999']),
  },
  {
    name: 'length-inexact',
    says: 'a Content-Length that a number cannot hold exactly (RFC 9110 §8.6)',
    bytes: head('POST', '/', ['Content-Length: 9007199254740993']),
  },
  {
    name: 'length-different',
    says: 'two different Content-Lengths (RFC 9112 §6.3)',
    bytes: `${head('POST', '/', ['Content-Length: 3', 'Content-Length: 5'])}abcde`,
  },
  {
    name: 'length-list',
    says: 'a list of different Content-Lengths',
    bytes: `${head('POST', '/', ['Content-Length: 3, 5'])}abcde`,
  },
  { name: 'length-hex', says: 'a Content-Length in hex', bytes: `${head('POST', '/', ['Content-Length: 0x3'])}abc` },
  {
    name: 'length-words',
    says: 'a Content-Length of two words',
    bytes: `${head('POST', '/', ['Content-Length: 3 0'])}abc`,
  },
  {
    name: 'length-space',
    says: 'a space between Content-Length and its colon',
    bytes: `${head('POST', '/', ['Content-Length : 3'])}abc`,
  },
  {
    name: 'length-twice',
    says: 'the same Content-Length twice',
    bytes: `${head('POST', '/', ['Content-Length: 3', 'Content-Length: 3'])}abc`,
  },
  {
    name: 'length-wraps',
    says: 'a Content-Length that is another number in 64 bits',
    bytes: `${head('POST', '/', ['Content-Length: 18446744073709551619'])}abc`,
  },
  {
    name: 'length-bytes',
    says: 'a Content-Length beside a byte above 0x7f',
    bytes: `${head('POST', '/', ['Content-Length: \xa03'])}abc`,
  },
  {
    name: 'length-and-coding',
    says: 'Content-Length beside Transfer-Encoding (RFC 9112 §6.1)',
    bytes: `${head('POST', '/', ['Content-Length: 3', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
  },
  {
    name: 'coding-1.0',
    says: 'Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked'], '1.0')}0\r\n\r\n`,
    text: /Transfer-Encoding in an HTTP\/1\.0 request/,
  },
  {
    name: 'coding-unknown',
    says: 'a transfer coding that is not understood (501, RFC 9112 §6.1)',
    bytes: `${head('POST', '/', ['Transfer-Encoding: gzip, chunked'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-twice',
    says: 'chunked twice, in two fields',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
  },
  {
    name: 'coding-not-last',
    says: 'chunked that is not the last coding (RFC 9112 §6.3)',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked, gzip'])}0\r\n\r\n`,
  },
  {
    name: 'coding-disguised',
    says: 'a coding that merely resembles chunked',
    bytes: `${head('POST', '/', ['Transfer-Encoding: xchunked'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-parameter',
    says: 'chunked with a parameter',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked;q=1'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-empty',
    says: 'an empty Transfer-Encoding before another one',
    bytes: `${head('POST', '/', ['Transfer-Encoding:', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-folded',
    says: 'a Transfer-Encoding on a folded line',
    bytes: `${head('POST', '/', ['Transfer-Encoding:', ' chunked'])}0\r\n\r\n`,
  },
  {
    name: 'coding-space',
    says: 'a space between Transfer-Encoding and its colon',
    bytes: `${head('POST', '/', ['Transfer-Encoding : chunked'])}0\r\n\r\n`,
  },
  {
    name: 'coding-quoted',
    says: 'chunked in quotes',
    bytes: `${head('POST', '/', ['Transfer-Encoding: "chunked"'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  {
    name: 'coding-bytes',
    says: 'chunked beside a byte above 0x7f',
    bytes: `${head('POST', '/', ['Transfer-Encoding: chunked\xff'])}0\r\n\r\n`,
    status: 501,
    text: /^Transfer coding not supported\.\n$/,
  },
  { name: 'name-space', says: 'a space before the colon (RFC 9112 §5.1)', bytes: head('GET', '/', ['X-A : 1']) },
  { name: 'name-empty', says: 'an empty header name', bytes: head('GET', '/', [': 1']) },
  { name: 'name-missing', says: 'a header line without a colon', bytes: head('GET', '/', ['X-A']) },
  { name: 'value-nul', says: 'a NUL in a value (RFC 9110 §5.5)', bytes: head('GET', '/', ['X-A: a\0b']) },
  { name: 'value-cr', says: 'a bare CR in a value', bytes: head('GET', '/', ['X-A: a\rb']) },
  { name: 'value-del', says: 'a DEL in a value', bytes: head('GET', '/', ['X-A: a\x7fb']) },
  { name: 'value-control', says: 'a control character in a value', bytes: head('GET', '/', ['X-A: a\x01b']) },
  {
    name: 'fold-first',
    says: 'a folded line right below the request line',
    bytes: 'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
  },
  { name: 'line-tab', says: 'tabs in the request line', bytes: 'GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n' },
  { name: 'line-space', says: 'a space in the target', bytes: head('GET', '/a b') },
  { name: 'http2', says: 'the preface of HTTP/2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  {
    name: 'proxy-1',
    says: 'a line of the PROXY protocol, version 1',
    bytes: `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${head('GET', '/')}`,
  },
  {
    name: 'proxy-2',
    says: 'a head of the PROXY protocol, version 2',
    bytes: `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02${head('GET', '/')}`,
  },
  { name: 'obs-fold', says: 'a folded header line (RFC 9112 §5.2)', bytes: head('GET', '/', ['X-A: a', ' b']) },
  { name: 'bare-lf', says: 'lines that end in a bare LF', bytes: 'GET / HTTP/1.1\nHost: a\n\n' },
  {
    name: 'bare-lf-header',
    says: 'a header line that ends in a bare LF',
    bytes: 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n',
  },
  {
    name: 'host-missing',
    says: 'no Host in HTTP/1.1 (RFC 9112 §3.2)',
    bytes: 'GET / HTTP/1.1\r\nX-A: 1\r\n\r\n',
    text: /missing Host header/,
  },
  {
    name: 'host-twice',
    says: 'two Hosts (RFC 9112 §3.2)',
    bytes: head('GET', '/', ['Host: a', 'host: b']),
    text: /more than one Host header/,
  },
  {
    name: 'host-bad',
    says: 'a Host that is no authority',
    bytes: head('GET', '/', ['Host: a/b']),
    text: /invalid Host header/,
  },
  {
    name: 'host-space',
    says: 'a Host with a space',
    bytes: head('GET', '/', ['Host: a b']),
    text: /invalid Host header/,
  },
  { name: 'host-userinfo', says: 'a Host with user information', bytes: head('GET', '/', ['Host: a@b']) },
  { name: 'target-bad', says: 'a target that is neither path nor URL', bytes: head('GET', 'p') },
  { name: 'target-asterisk', says: 'an asterisk with a method other than OPTIONS', bytes: head('GET', '*') },
  { name: 'target-scheme', says: 'an absolute target of another scheme', bytes: head('GET', 'ftp://a/b') },
  {
    name: 'target-no-authority',
    says: 'an absolute target without an authority (RFC 9110 §4.2.1)',
    bytes: head('GET', 'http:///b'),
  },
  {
    name: 'connect',
    says: 'CONNECT (501)',
    bytes: head('CONNECT', 'a:443', ['Host: a:443']),
    status: 501,
    text: /^Method not supported: CONNECT\.\n$/,
  },
];
