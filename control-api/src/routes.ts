/**
 * The routes of the control API: Pushpin's paths and the views, with what each does.
 *
 * Pushpin's paths are exact, and answered in the format that Accept chooses; the views are always JSON.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { channelNameFault, parseItems } from '@holdfast/grip';
import type { Callbacks } from './callbacks/callbacks.js';
import { callbackRoutes } from './callbacks/routes.js';
import {
  type Answer,
  answerTo,
  bodyTooLarge,
  codingMalformed,
  drainFinal,
  forbidden,
  lengthRequired,
  nameRefused,
  published,
  root,
  shown,
  unknownCoding,
  updated,
} from './http/answer.js';
import { codingOf, decodeBody } from './http/body.js';
import type { Format } from './http/negotiate.js';
import type { Principal, Route, RouteCall, Scope } from './http/router.js';
import type { Publisher } from './publisher.js';
import { controlResult } from './request-report.js';
import { readTraceContext, type TraceContext } from './tracing/trace-context.js';
import type { ChannelTaps } from './views/channel-taps.js';
import type { ClusterViews } from './views/cluster-views.js';

/** What a handler of the control API gets. */
export interface ControlCall extends RouteCall {
  readonly headers: IncomingHttpHeaders;
  /** Whole, and still in its Content-Encoding. */
  readonly body: Buffer;
  /** For answers that go on. */
  readonly response: ServerResponse;
  /** To be called with the number of items that such an answer had, when it is over. */
  readonly ended: (items: number) => void;
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
  /** For requests that come whole; as `handler`, for calls whose answer never goes on. */
  readonly whole?: WholeHandler;
}

/** What a handler gets of a request that has come whole. */
export type WholeCall = Omit<ControlCall, 'response' | 'ended'>;

/** Answers one. As with `ControlHandler`, what is published has been handed over when it returns. Never rejects. */
export type WholeHandler = (call: WholeCall) => Promise<Answer>;

/** How the control API looks at the nodes. */
export interface ControlViews {
  readonly cluster: ClusterViews;
  /** Closed with the server. */
  readonly taps: ChannelTaps;
}

/** `draining`: `shutdown_delay` or `shutdown_window` is under way. `drained`: both are over. `stopping`: the process is about to end. */
export type DrainPhase = 'serving' | 'draining' | 'drained' | 'stopping';

/** How far the drain of a node is. */
export interface DrainState {
  readonly state: DrainPhase;
  /** Holds and sessions that have not ended yet. */
  readonly holds: number;
  /** Client connections, held or not. */
  readonly connections: number;
}

/** Has the clients of this node go, and stay again. */
export interface NodeDrainPort {
  readonly state: DrainState;
  /** Begins, unless it has begun. */
  begin(): Promise<void>;
  /** False where the node is about to end. */
  takeBack(): boolean;
}

/** What the routes work on. */
export interface ControlRoutesOptions {
  readonly publisher: Publisher;
  /** Request body, in bytes, without chunk framing; of a compressed one both as it is sent and as it comes out. Over: 413. */
  readonly pushInHttpMaxBodySize: number;
  /** What is behind /nodes, /channels/ and /connections/; left out, these paths are not there. */
  readonly views?: ControlViews | undefined;
  /** Of this node; left out, its path is not there. */
  readonly drain?: NodeDrainPort | undefined;
  /** What is behind /subscriptions; left out, its paths are not there. */
  readonly callbacks?: Callbacks | undefined;
  /** Bytes of a channel's name in the path of a view, see `channelNameFault`; left out: no limit of its own. */
  readonly channelNameMax?: number;
}

/** The table. */
export function controlRoutes({
  publisher,
  pushInHttpMaxBodySize,
  views,
  drain,
  callbacks,
  channelNameMax = Number.POSITIVE_INFINITY,
}: ControlRoutesOptions): readonly ControlRoute[] {
  const publish = async (call: WholeCall): Promise<Answer> => {
    const since = performance.now();
    const answer = await answerPublish(publisher, call, pushInHttpMaxBodySize);
    publisher.ended(controlResult(answer.status), since);
    return answer;
  };
  const recover: ControlHandler = () => publisher.recover().then(() => updated, answerTo);
  return [
    { method: '*', path: '/', scope: 'none', handler: () => root },
    { method: 'POST', path: '/publish/?', scope: 'publish', check: checkPublish, handler: publish, whole: publish },
    { method: 'POST', path: '/recover/?', scope: 'recover', handler: recover },
    ...(views === undefined ? [] : viewRoutes(views, channelNameMax)),
    ...(drain === undefined ? [] : drainRoutes(drain)),
    ...(callbacks === undefined ? [] : callbackRoutes(callbacks)),
  ];
}

/** A drain is about all connections of the node: a key for some channels may not have it. */
function drainRoutes(drain: NodeDrainPort): ControlRoute[] {
  const forAll =
    (act: () => Answer): ControlHandler =>
    ({ principal }) =>
      principal === undefined || principal.isUnlimited('disconnect') ? act() : forbidden;
  const row = { path: '/drain/?', format: 'json' } as const;
  return [
    { ...row, method: 'GET', scope: 'view', handler: () => shown(drain.state) },
    {
      ...row,
      method: 'POST',
      scope: 'disconnect',
      handler: forAll(() => {
        void drain.begin();
        return shown(drain.state);
      }),
    },
    {
      ...row,
      method: 'DELETE',
      scope: 'disconnect',
      handler: forAll(() => (drain.takeBack() ? shown(drain.state) : drainFinal(drain.state))),
    },
  ];
}

function viewRoutes({ cluster, taps }: ControlViews, channelNameMax: number): ControlRoute[] {
  /** Of a channel whose name may be one, to a caller that may see it: others have no items, and nobody on them. */
  const named =
    (scope: Scope, show: (name: string, call: ControlCall) => ReturnType<ControlHandler>): ControlHandler =>
    (call) => {
      const { name = '' } = call.params;
      const fault = channelNameFault(name, channelNameMax);
      return fault === undefined
        ? (call.principal?.refuseChannel(scope, name) ?? show(name, call))
        : nameRefused(fault);
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
      named('view', (name) => cluster.answer({ about: 'channel', name })),
    ),
    view(
      'GET',
      '/channels/{name}/items',
      'tap',
      named('tap', (name, { principal, response, ended }) => {
        const caller = principal && { isAllowed: () => principal.mayStill('tap', name), ended };
        return taps.serve(name, response, caller);
      }),
    ),
    view('GET', '/connections/{id+}', 'view', ({ params: { id = '' }, principal }) =>
      viewOf(cluster, id, 'view', principal),
    ),
    view('DELETE', '/connections/{id+}', 'disconnect', async ({ params: { id = '' }, principal }) => {
      // A connection may be on channels that its key does not cover: they are known only once it was looked at.
      const isFree = principal === undefined || principal.isUnlimited('disconnect');
      const seen = isFree ? undefined : await viewOf(cluster, id, 'disconnect', principal);
      return seen === undefined || seen.status === 200 ? cluster.answer({ about: 'disconnect', id }) : seen;
    }),
  ];
}

/** A connection, to a caller that may do this on all the channels that it is on. One that is on none is of no caller with limits. */
async function viewOf(cluster: ClusterViews, id: string, scope: Scope, principal?: Principal): Promise<Answer> {
  const answer = await cluster.answer({ about: 'connection', id });
  if (principal === undefined || answer.status !== 200 || principal.isUnlimited(scope)) return answer;
  const { channels } = answer.view as { readonly channels?: unknown };
  const isCovered = (channel: unknown) =>
    typeof channel === 'string' && principal.refuseChannel(scope, channel) === undefined;
  return Array.isArray(channels) && channels.length > 0 && channels.every(isCovered) ? answer : forbidden;
}

/** Without any framing the body is lost (HTTP/1.0 clients that end it by closing), and an empty one is no publish. */
function checkPublish(headers: IncomingHttpHeaders): Answer | undefined {
  const isFramed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  if (!isFramed) return lengthRequired;
  return codingOf(headers) === 'unknown' ? unknownCoding : undefined;
}

/** The trace that a publisher says it is in. Of fields that came twice node makes one, with a comma between. */
function traceOf({ traceparent, tracestate }: IncomingHttpHeaders): TraceContext | undefined {
  const valuesOf = (field: string | readonly string[] | undefined) => (field === undefined ? [] : [field].flat());
  return readTraceContext(valuesOf(traceparent), valuesOf(tracestate));
}

/** No `await` before the publisher is called. */
async function answerPublish(
  publisher: Publisher,
  { body, headers, principal }: WholeCall,
  pushInHttpMaxBodySize: number,
): Promise<Answer> {
  const coding = codingOf(headers);
  const plain = coding === undefined ? body : decodeBody(body, coding, pushInHttpMaxBodySize);
  if (plain === 'too-large') return bodyTooLarge(pushInHttpMaxBodySize);
  if (plain === 'malformed') return codingMalformed(coding as string);
  try {
    const items = parseItems(plain);
    const refused = principal?.refuseItems(items);
    if (refused !== undefined) return { ...refused, logged: { items: items.length } };
    return published(await publisher.publish(items, publisher.followsTraces ? traceOf(headers) : undefined));
  } catch (error) {
    return answerTo(error);
  }
}
