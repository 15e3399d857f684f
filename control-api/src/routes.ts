/**
 * The routes of the control API: Pushpin's paths and the views, with what each does.
 *
 * Pushpin's paths are exact, and answered in the format that Accept chooses; the views are always JSON.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { channelNameFault, type Item, ItemWarnings, parseItems } from '@holdfast/grip';
import { bodyItem, bodyItemQuery } from './body-item.js';
import type { Callbacks } from './callbacks/callbacks.js';
import { callbackRoutes } from './callbacks/routes.js';
import { connectionRoutes } from './connection-routes.js';
import {
  type Answer,
  answerTo,
  drainFinal,
  forbidden,
  lengthRequired,
  nameRefused,
  published,
  publishedTo,
  root,
  shown,
  updated,
} from './http/answer.js';
import { type Format, preferredWait } from './http/negotiate.js';
import { checkCoding, plainBody } from './http/plain-body.js';
import type { Route, RouteCall, Scope } from './http/router.js';
import type { Publisher } from './publisher.js';
import { controlResult } from './request-report.js';
import { readTraceContext, type TraceContext } from './tracing/trace-context.js';
import { type ChannelHistory, historyQuery } from './views/channel-history.js';
import type { ChannelTaps } from './views/channel-taps.js';
import { ANSWER_WITHIN_MS, type ClusterViews } from './views/cluster-views.js';
import { REACH_MAX_MS, reachChannels } from './views/reach.js';
import type { TokenRevocations } from './views/token-revocations.js';

/** What a handler of the control API gets. */
export interface ControlCall extends RouteCall {
  readonly headers: IncomingHttpHeaders;
  /** Whole, and still in its Content-Encoding. */
  readonly body: Buffer;
  /** Of the answer. */
  readonly format: Format;
  /** For answers that go on. */
  readonly response: ServerResponse;
  /** To be called with the number of items that such an answer had, when it is over. */
  readonly ended: (items: number) => void;
  /** To be called at once by a handler that hands over what is published only when this has resolved, which must not reject. */
  readonly handsOverAfter: (until: Promise<unknown>) => void;
}

/**
 * Answers a request. Undefined when the answer has begun, and goes on for as long as the client stays. What is published has been
 * handed over when it returns, or is at once after what `handsOverAfter` got, so that pipelined requests keep their order. Never
 * rejects.
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
export type WholeCall = Omit<ControlCall, 'response' | 'ended' | 'handsOverAfter'>;

/** Answers one. What is published has been handed over when it returns. Never rejects. */
export type WholeHandler = (call: WholeCall) => Promise<Answer>;

/** What the node that is asked goes by. */
export interface NodeViews {
  /** Its configuration, without secrets: `yaml`, as `holdfast print-config` prints it, and the URLs of its listeners of clients. */
  config(): { readonly yaml?: string | undefined; readonly clients: readonly string[] };
  /** Its routes, in the order of their lines. */
  routes(): Promise<readonly unknown[]>;
}

/** How the control API looks at the nodes. */
export interface ControlViews {
  readonly cluster: ClusterViews;
  /** Closed with the server. */
  readonly taps: ChannelTaps;
  /** Left out, its path is not there. */
  readonly history?: ChannelHistory | undefined;
  /** Left out, its paths are not there. */
  readonly node?: NodeViews | undefined;
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
  /** What is behind /nodes, /channels/, /connections/ and /users/; left out, these paths are not there. */
  readonly views?: ControlViews | undefined;
  /** Of clients; left out, their path is not there. */
  readonly tokens?: TokenRevocations | undefined;
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
  tokens,
  drain,
  callbacks,
  channelNameMax = Number.POSITIVE_INFINITY,
}: ControlRoutesOptions): readonly ControlRoute[] {
  const parts = { publisher, cluster: views?.cluster, pushInHttpMaxBodySize };
  const publishOf = (read: ReadItems) => (call: PublishCall) => answerPublish(parts, call, read);
  const publish = publishOf((body, _, warnings) => parseItems(body, warnings));
  const publishBody = publishOf((body, { params: { channel = '' }, query }) => [bodyItem(channel, query, body)]);
  const publishing = { method: 'POST', scope: 'publish', check: checkPublish } as const;
  const bodyQuery = { names: [...bodyItemQuery, 'reach'], others: 'elsewhere' } as const;
  const recover: ControlHandler = () => publisher.recover().then(() => updated, answerTo);
  return [
    { method: '*', path: '/', scope: 'none', handler: () => root },
    {
      ...publishing,
      path: '/publish/?',
      query: { names: ['reach'], others: 'elsewhere' },
      handler: publish,
      whole: publish,
    },
    { ...publishing, path: '/publish/{channel+}', query: bodyQuery, handler: publishBody },
    { method: 'POST', path: '/recover/?', scope: 'recover', handler: recover },
    ...(views === undefined ? [] : viewRoutes(views, channelNameMax)),
    ...(views === undefined
      ? []
      : connectionRoutes({ cluster: views.cluster, channelNameMax, bodyMax: pushInHttpMaxBodySize })),
    ...(tokens === undefined ? [] : [revokeRoute(tokens)]),
    ...(drain === undefined ? [] : drainRoutes(drain)),
    ...(callbacks === undefined ? [] : callbackRoutes(callbacks)),
  ];
}

/** A user may be on any channel: a key for some may not have it. */
function revokeRoute(tokens: TokenRevocations): ControlRoute {
  return {
    method: 'POST',
    path: '/tokens/revoke/?',
    scope: 'disconnect',
    format: 'json',
    handler: (call) => forAll('disconnect', () => tokens.revoke(call.body))(call),
  };
}

/** A drain is about all connections of the node: a key for some channels may not have it. */
function drainRoutes(drain: NodeDrainPort): ControlRoute[] {
  const row = { path: '/drain/?', format: 'json' } as const;
  return [
    { ...row, method: 'GET', scope: 'view', handler: () => shown(drain.state) },
    {
      ...row,
      method: 'POST',
      scope: 'disconnect',
      handler: forAll('disconnect', () => {
        void drain.begin();
        return shown(drain.state);
      }),
    },
    {
      ...row,
      method: 'DELETE',
      scope: 'disconnect',
      handler: forAll('disconnect', () => (drain.takeBack() ? shown(drain.state) : drainFinal(drain.state))),
    },
  ];
}

/** For callers that may do it on all channels. */
function forAll(scope: Scope, act: () => Answer | Promise<Answer>): ControlHandler {
  return ({ principal }) => (principal === undefined || principal.isUnlimited(scope) ? act() : forbidden);
}

function viewRoutes({ cluster, taps, history, node }: ControlViews, channelNameMax: number): ControlRoute[] {
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
      '/channels/{name}/members',
      'view',
      named('view', (name) => cluster.answer({ about: 'members', name })),
    ),
    ...(node === undefined
      ? []
      : [
          view(
            'GET',
            '/config',
            'view',
            forAll('view', () => shown(node.config())),
          ),
          view(
            'GET',
            '/routes',
            'view',
            forAll('view', async () => shown({ routes: await node.routes() })),
          ),
        ]),
    view(
      'GET',
      '/channels/{name}/items',
      'tap',
      named('tap', (name, { principal, response, ended }) => {
        const caller = principal && { isAllowed: () => principal.mayStill('tap', name), ended };
        return taps.serve(name, response, caller);
      }),
    ),
    ...(history === undefined
      ? []
      : [
          {
            ...view(
              'GET',
              '/channels/{name}/history',
              'tap',
              named('tap', (name, { query = '' }) => history.page(name, query)),
            ),
            query: { names: historyQuery, others: 'refused' } as const,
          },
          view(
            'DELETE',
            '/channels/{name}/history',
            'disconnect',
            named('disconnect', (name) => history.remove(name)),
          ),
        ]),
  ];
}

/** Without any framing the body is lost (HTTP/1.0 clients that end it by closing), and an empty one is no publish. */
function checkPublish(headers: IncomingHttpHeaders): Answer | undefined {
  const isFramed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return isFramed ? checkCoding(headers) : lengthRequired;
}

/** The trace that a publisher says it is in. Of fields that came twice node makes one, with a comma between. */
function traceOf({ traceparent, tracestate }: IncomingHttpHeaders): TraceContext | undefined {
  const valuesOf = (field: string | readonly string[] | undefined) => (field === undefined ? [] : [field].flat());
  return readTraceContext(valuesOf(traceparent), valuesOf(tracestate));
}

/** A publish, whole or not; only where it can wait for something else may its reach be counted. */
type PublishCall = WholeCall & Partial<Pick<ControlCall, 'handsOverAfter'>>;

/** Makes the items of a body, whose coding has been taken off. Throws the `GripError` of one that is bad. */
type ReadItems = (body: Buffer, call: PublishCall, warnings: ItemWarnings | undefined) => Item[];

interface PublishParts extends Pick<ControlRoutesOptions, 'publisher' | 'pushInHttpMaxBodySize'> {
  /** Undefined where nodes cannot be asked. */
  readonly cluster: ClusterViews | undefined;
}

/** How long the nodes may take to count the reach, in ms, and whether that was preferred; undefined where nobody asks for it. */
function askedReach({ headers, query }: WholeCall): { readonly ms: number; readonly isPreferred: boolean } | undefined {
  const preferred = preferredWait(headers.prefer);
  if (preferred !== undefined) return { ms: Math.min(preferred, REACH_MAX_MS), isPreferred: true };
  if (query === undefined) return undefined;
  return new URLSearchParams(query).get('reach') === '1' ? { ms: ANSWER_WITHIN_MS, isPreferred: false } : undefined;
}

/**
 * Publishes what a body has, and reports how that ended. No `await` before the publisher is called, unless later requests of the
 * connection wait too; and one function for it all, as each async one more is a promise more for each publish.
 */
async function answerPublish(
  { publisher, cluster, pushInHttpMaxBodySize }: PublishParts,
  call: PublishCall,
  read: ReadItems,
): Promise<Answer> {
  const since = performance.now();
  const ended = (answer: Answer): Answer => {
    publisher.ended(controlResult(answer.status), since);
    return answer;
  };
  const { body, headers, principal, format, handsOverAfter } = call;
  const plain = plainBody({ body, headers }, pushInHttpMaxBodySize);
  if (!Buffer.isBuffer(plain)) return ended(plain);
  try {
    const warnings = format === 'json' ? new ItemWarnings() : undefined;
    const items = read(plain, call, warnings);
    const refused = principal?.refuseItems(items);
    if (refused !== undefined) return ended({ ...refused, logged: { items: items.length } });
    const trace = publisher.followsTraces ? traceOf(headers) : undefined;
    const asked = cluster && handsOverAfter && askedReach(call);
    if (asked === undefined || cluster === undefined || items.length === 0)
      return ended(published(await publisher.publish(items, trace, { warnings }), headers.accept !== undefined));
    const counting = cluster.reach(reachChannels(items), asked.ms);
    handsOverAfter?.(counting);
    const reach = await counting;
    const receipts = await publisher.publish(items, trace, { reach, warnings });
    // What could not be counted is not said to have been.
    if (reach === undefined) return ended(published(receipts, true));
    return ended(publishedTo(receipts, reach.silent, asked.isPreferred ? asked.ms : undefined));
  } catch (error) {
    return ended(answerTo(error));
  }
}
