/** What scripts of a page in a browser can try at the control API, and the pages themselves. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { streamItem } from '../../kit/holdfast.js';

/** For a page, until it is said that nothing came of a request. */
const PATIENCE_MS = 3_000;

/** What every attempt publishes. */
export const attackItem = JSON.stringify({ items: [streamItem('room', 'attacked\n')] });

/** A server of an empty page; `close` makes its port free again. */
export interface PageServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves an empty page on a port of 127.0.0.1, under whatever name it is asked for. */
export async function servePage(t: Test, port = 0): Promise<PageServer> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>page</title><body></body>');
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.teardown(close);
  return { port: (server.address() as AddressInfo).port, close };
}

/** A script: what it can read of the answer to a request, or that it got none. */
export const fetching = (url: string, init: object = {}): string =>
  `fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).then(
    async (response) => [response.type, response.status, await response.text()].join(' '),
    () => 'nothing')`;

/** A script: which of two events of an element or socket comes. */
const outcome = (make: string, good: string, bad: string) => `new Promise((resolve) => {
  const it = ${make};
  it.addEventListener('${good}', () => resolve('${good}'));
  it.addEventListener('${bad}', () => resolve('${bad}'));
  if (it instanceof Element) document.body.append(it);
  setTimeout(() => resolve('nothing'), ${PATIENCE_MS});
})`;

const element = (name: string, fields: object) =>
  `Object.assign(document.createElement('${name}'), ${JSON.stringify(fields)})`;

/** A script: submits a form into a frame; `load` when that has loaded something, which the page cannot read. */
const form = (action: string, enctype: string, name: string, value: string) => `new Promise((resolve) => {
  const target = 'sink' + Math.random();
  const frame = document.createElement('iframe');
  frame.name = target;
  document.body.append(frame);
  const form = ${element('form', { action, method: 'POST', enctype })};
  form.target = target;
  form.append(${element('input', { name, value })});
  document.body.append(form);
  frame.addEventListener('load', () => resolve('load'));
  form.submit();
  setTimeout(() => resolve('nothing'), ${PATIENCE_MS});
})`;

/** Ways to publish, by name: scripts for a page. */
export function publishing(control: string): Readonly<Record<string, string>> {
  const url = `${control}/publish/`;
  const post = { method: 'POST', body: attackItem };
  const json = { headers: { 'Content-Type': 'application/json' } };
  // A form writes `name=value`: the sign of equality ends up in a text of the item's.
  const [start, end] = [
    `{"items":[{"channel":"room","a":"`,
    `","formats":{"http-stream":{"content":"attacked\\n"}}}]}`,
  ];
  return {
    'fetch of text': fetching(url, post),
    'fetch of JSON': fetching(url, { ...post, ...json }),
    'fetch, no-cors': fetching(url, { ...post, mode: 'no-cors' }),
    'fetch, no-cors, without referrer': fetching(url, { ...post, mode: 'no-cors', referrerPolicy: 'no-referrer' }),
    'fetch with credentials': fetching(url, { ...post, credentials: 'include' }),
    beacon: `String(navigator.sendBeacon('${url}', ${JSON.stringify(attackItem)}))`,
    'form of text': form(url, 'text/plain', start, end),
    'form as by default': form(url, 'application/x-www-form-urlencoded', start, end),
    'form of parts': form(url, 'multipart/form-data', start, end),
    'recover, no-cors': fetching(`${control}/recover/`, { method: 'POST', mode: 'no-cors' }),
    'recover by a form': form(`${control}/recover/`, 'text/plain', 'a', 'b'),
    WebSocket: outcome(`new WebSocket('${url.replace('http', 'ws')}')`, 'open', 'error'),
  };
}

/** Ways to look, by name. */
export function looking(control: string, admin: string): Readonly<Record<string, string>> {
  const tap = `${control}/channels/room/items`;
  return {
    'fetch of nodes': fetching(`${control}/nodes`),
    'fetch of nodes, no-cors': fetching(`${control}/nodes`, { mode: 'no-cors' }),
    'fetch of a channel': fetching(`${control}/channels/room`),
    'fetch of metrics': fetching(`${admin}/metrics`),
    image: outcome(element('img', { src: `${control}/nodes` }), 'load', 'error'),
    'tap by an image': outcome(element('img', { src: tap }), 'load', 'error'),
    script: outcome(element('script', { src: `${control}/channels/room` }), 'load', 'error'),
    EventSource: outcome(`new EventSource('${tap}')`, 'open', 'error'),
    'WebSocket on a tap': outcome(`new WebSocket('${tap.replace('http', 'ws')}')`, 'open', 'error'),
  };
}

/** Ways to end a connection, by name. */
export function ending(control: string, id: string): Readonly<Record<string, string>> {
  const url = `${control}/connections/${id}`;
  return {
    'fetch of DELETE': fetching(url, { method: 'DELETE' }),
    'POST that says DELETE': fetching(url, { method: 'POST', mode: 'no-cors' }),
  };
}
