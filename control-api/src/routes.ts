/**
 * The routes of the control API: Pushpin's paths and the views, with what each does.
 *
 * Pushpin's paths are exact, and answered in the format that Accept chooses; the views are always JSON.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { channelNameFault, parseItems } from '@holdfast/grip';
import {
  type Answer,
  answerTo,
  bodyTooLarge,
  codingMalformed,
  lengthRequired,
  nameRefused,
  published,
  root,
  unknownCoding,
  updated,
} from './http/answer.js';
import { codingOf, decodeBody } from './http/body.js';
import type { Format } from './http/negotiate.js';
import type { Route, RouteCall } from './http/router.js';
import type { Publisher } from './publisher.js';
import type { ChannelTaps } from './views/channel-taps.js';
import type { ClusterViews } from './views/cluster-views.js';

/** What a handler of the control API gets. */
export interface ControlCall extends RouteCall {
  readonly headers: IncomingHttpHeaders;
  /** Whole, and still in its Content-Encoding. */
  readonly body: Buffer;
  /** For answers that go on. */
  readonly response: ServerResponse;
}

/**
 * Answers a request. Undefined when the answer has begun, and goes on for as long as the client stays. What is published has been
 * handed over when it returns, so that pipelined requests keep their order. Never rejects.
 */
export type ControlHandler = (call: ControlCall) => Promise<Answer | undefined> | Answer;

/** One row. */
export interface ControlRoute extends Route<ControlHandler> {
  /** The format of all answers at this path; left out, Accept chooses it, and 406 comes before 405. */
  readonly format?: Format;
  /** What the head of a request for this row is refused for; sent before its body is read, if it has one. */
  readonly check?: (headers: IncomingHttpHeaders) => Answer | undefined;
}

/** How the control API looks at the nodes. */
export interface ControlViews {
  readonly cluster: ClusterViews;
  /** Closed with the server. */
  readonly taps: ChannelTaps;
}

/** What the routes work on. */
export interface ControlRoutesOptions {
  readonly publisher: Publisher;
  /** Of a compressed body both as it is sent and as it comes out. */
  readonly pushInHttpMaxBodySize: number;
  /** Left out, the paths of the views are not there. */
  readonly views?: ControlViews | undefined;
  /** Bytes of a channel's name; see `channelNameFault`. */
  readonly channelNameMax?: number;
}

/** The table. */
export function controlRoutes({
  publisher,
  pushInHttpMaxBodySize,
  views,
  channelNameMax = Number.POSITIVE_INFINITY,
}: ControlRoutesOptions): readonly ControlRoute[] {
  const publish: ControlHandler = ({ body, headers }) =>
    answerPublish(publisher, body, codingOf(headers), pushInHttpMaxBodySize);
  const recover: ControlHandler = () => publisher.recover().then(() => updated, answerTo);
  return [
    { method: '*', path: '/', scope: 'none', handler: () => root },
    { method: 'POST', path: '/publish/?', scope: 'publish', check: checkPublish, handler: publish },
    { method: 'POST', path: '/recover/?', scope: 'recover', handler: recover },
    ...(views === undefined ? [] : viewRoutes(views, channelNameMax)),
  ];
}

function viewRoutes({ cluster, taps }: ControlViews, channelNameMax: number): ControlRoute[] {
  /** Of a channel whose name may be one: others have no items, and nobody on them. */
  const named =
    (show: (name: string, response: ServerResponse) => ReturnType<ControlHandler>): ControlHandler =>
    ({ params: { name = '' }, response }) => {
      const fault = channelNameFault(name, channelNameMax);
      return fault === undefined ? show(name, response) : nameRefused(fault);
    };
  const view = (method: string, path: string, scope: ControlRoute['scope'], handler: ControlHandler): ControlRoute => ({
    method,
    path,
    scope,
    format: 'json',
    handler,
  });
  return [
    view('GET', '/nodes/?', 'view', () => cluster.answer({ about: 'nodes' })),
    view(
      'GET',
      '/channels/{name}',
      'view',
      named((name) => cluster.answer({ about: 'channel', name })),
    ),
    view(
      'GET',
      '/channels/{name}/items',
      'tap',
      named((name, response) => taps.serve(name, response)),
    ),
    view('GET', '/connections/{id+}', 'view', ({ params: { id = '' } }) => cluster.answer({ about: 'connection', id })),
    view('DELETE', '/connections/{id+}', 'disconnect', ({ params: { id = '' } }) =>
      cluster.answer({ about: 'disconnect', id }),
    ),
  ];
}

/** Without any framing the body is lost (HTTP/1.0 clients that end it by closing), and an empty one is no publish. */
function checkPublish(headers: IncomingHttpHeaders): Answer | undefined {
  const isFramed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  if (!isFramed) return lengthRequired;
  return codingOf(headers) === 'unknown' ? unknownCoding : undefined;
}

/** No `await` before the publisher is called. */
async function answerPublish(
  publisher: Publisher,
  body: Buffer,
  coding: string | undefined,
  pushInHttpMaxBodySize: number,
): Promise<Answer> {
  const plain = coding === undefined ? body : decodeBody(body, coding, pushInHttpMaxBodySize);
  if (plain === 'too-large') return bodyTooLarge(pushInHttpMaxBodySize);
  if (plain === 'malformed') return codingMalformed(coding as string);
  try {
    return published(await publisher.publish(parseItems(plain)));
  } catch (error) {
    return answerTo(error);
  }
}
