/**
 * The routes about connections, one at a time or all those of a user, and the lists of them and of channels.
 *
 * A key for some channels may see and do what is about one connection all of whose channels it covers, and nothing that is about
 * connections wherever they are.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { ConnectionFilter, PageOrder, Recipient } from './cluster/connection-questions.js';
import {
  connectionQueries,
  isRefusal,
  readChannelList,
  readConnectionList,
  readDirectItem,
  readEnd,
  readSubscribe,
  readUserList,
} from './connection-requests.js';
import {
  type Answer,
  connectionEnded,
  connectionUnknown,
  forbidden,
  shown,
  subscribeRefused,
  userUnknown,
} from './http/answer.js';
import { type CodedRequest, checkCoding, plainBody } from './http/plain-body.js';
import type { Principal, Route, RouteCall, Scope } from './http/router.js';
import type { ClusterViews, NodeReply } from './views/cluster-views.js';
import {
  type ConnectionView,
  channelRows,
  connectionRows,
  readChannelPage,
  readConnectionPage,
  readOrderResult,
  readSubscribeResult,
  sumOrderResults,
} from './views/connection-answers.js';
import { cursorOf, mergePages, type Page, type RowKind } from './views/pages.js';

/** What a handler here needs of a request. */
export interface ConnectionCall extends RouteCall, CodedRequest {}

/** One row. All answers are JSON. */
export interface ConnectionRoute extends Route<(call: ConnectionCall) => Promise<Answer> | Answer> {
  readonly format: 'json';
  readonly check?: (headers: IncomingHttpHeaders) => Answer | undefined;
}

type Handler = ConnectionRoute['handler'];

/** What they work on. */
export interface ConnectionRoutesOptions {
  readonly cluster: ClusterViews;
  /** Bytes of a channel's name, see `channelNameFault`. */
  readonly channelNameMax: number;
  /** Bytes of a request body. */
  readonly bodyMax: number;
}

/** The rows. */
export function connectionRoutes({ cluster, channelNameMax, bodyMax }: ConnectionRoutesOptions): ConnectionRoute[] {
  const row = (method: string, path: string, scope: Scope, handler: Handler): ConnectionRoute => ({
    method,
    path,
    scope,
    format: 'json',
    handler,
  });
  /** With a query, which the handler reads. */
  const asked = (
    method: string,
    path: string,
    scope: Scope,
    names: readonly string[],
    handler: Handler,
  ): ConnectionRoute => ({
    ...row(method, path, scope, handler),
    query: { names, others: 'refused' },
  });
  const withBody = (
    path: string,
    scope: Scope,
    act: (call: ConnectionCall, body: Buffer) => Promise<Answer> | Answer,
  ) => ({
    ...row('POST', path, scope, (call) => {
      const body = plainBody(call, bodyMax);
      return Buffer.isBuffer(body) ? act(call, body) : body;
    }),
    check: checkCoding,
  });
  const subscribe = (path: string, isOn: boolean) =>
    withBody(path, 'subscribe', async (call, body) => {
      const read = readSubscribe(body, channelNameMax);
      if (isRefusal(read)) return read;
      const { channels } = read;
      const { principal } = call;
      for (const channel of channels) {
        const refusal = principal?.refuseChannel('subscribe', channel);
        if (refusal !== undefined) return refusal;
      }
      const seen = await refusalOf(cluster, call, 'subscribe');
      return seen ?? answerSubscribe(cluster, call.params.id ?? '', channels, isOn);
    });
  return [
    asked(
      'GET',
      '/channels',
      'view',
      connectionQueries.channels,
      forAll('view', ({ query = '' }) => {
        const read = readChannelList(query);
        if (isRefusal(read)) return read;
        return cluster.gather({ about: 'channels', ...read }, readChannelPage, (replies, silent) => {
          const page = mergePages(
            replies.map(({ answer }) => answer),
            read.limit,
            channelRows,
          );
          return shown({ channels: page.rows, ...cursorFor(page, channelRows), silent });
        });
      }),
    ),
    asked(
      'GET',
      '/connections',
      'view',
      connectionQueries.connections,
      forAll('view', ({ query = '' }) => {
        const read = readConnectionList(query, channelNameMax);
        return isRefusal(read) ? read : answerConnections(cluster, read, {});
      }),
    ),
    row('GET', '/connections/{id+}', 'view', ({ params: { id = '' }, principal }) =>
      viewOf(cluster, id, 'view', principal),
    ),
    asked('DELETE', '/connections/{id+}', 'disconnect', connectionQueries.end, async (call) => {
      const { id = '' } = call.params;
      const read = readEnd(call.query ?? '', false);
      if (isRefusal(read)) return read;
      const { close } = read;
      const refusal = await refusalOf(cluster, call, 'disconnect');
      return refusal ?? cluster.answer({ about: 'disconnect', id, ...(close !== undefined && { close }) });
    }),
    withBody('/connections/{id+}', 'publish', async (call, body) => {
      const read = readDirectItem(body);
      if (isRefusal(read)) return read;
      const { id = '' } = call.params;
      const { principal } = call;
      const seen =
        principal && !principal.isUnlimited('publish') ? await viewOf(cluster, id, 'publish', principal) : undefined;
      if (seen !== undefined && seen.status !== 200) return seen;
      const [channel = ''] = channelsOf(seen);
      return principal?.refuseItems([{ channel }]) ?? answerDeliver(cluster, { id }, read.item);
    }),
    subscribe('/connections/{id+}/subscribe', true),
    subscribe('/connections/{id+}/unsubscribe', false),
    asked(
      'GET',
      '/users/{user+}',
      'view',
      connectionQueries.user,
      forAll('view', ({ params: { user = '' }, query = '' }) => {
        const read = readUserList(query);
        return isRefusal(read) ? read : answerConnections(cluster, { user, ...read }, { user });
      }),
    ),
    asked(
      'DELETE',
      '/users/{user+}',
      'disconnect',
      connectionQueries.endOfUser,
      forAll('disconnect', ({ params: { user = '' }, query = '' }) => {
        const read = readEnd(query, true);
        if (isRefusal(read)) return read;
        return cluster.gather({ about: 'disconnect-user', user, ...read }, readOrderResult, (replies, silent) => {
          const { known, connections } = sumOrderResults(replies.map(({ answer }) => answer));
          return known === 'here' ? shown({ message: 'Disconnected', connections, silent }) : userUnknown(silent);
        });
      }),
    ),
    withBody(
      '/users/{user+}',
      'publish',
      forAllWithBody('publish', ({ params, principal }, body) => {
        const read = readDirectItem(body);
        if (isRefusal(read)) return read;
        const { user = '' } = params;
        return principal?.refuseItems([{ channel: '' }]) ?? answerDeliver(cluster, { user }, read.item);
      }),
    ),
  ];
}

/** For callers that may do it on all channels. */
function forAll(scope: Scope, act: Handler): Handler {
  return (call) => (isFree(call.principal, scope) ? act(call) : forbidden);
}

function forAllWithBody(
  scope: Scope,
  act: (call: ConnectionCall, body: Buffer) => Promise<Answer> | Answer,
): (call: ConnectionCall, body: Buffer) => Promise<Answer> | Answer {
  return (call, body) => (isFree(call.principal, scope) ? act(call, body) : forbidden);
}

function isFree(principal: Principal | undefined, scope: Scope): boolean {
  return principal === undefined || principal.isUnlimited(scope);
}

/** A connection may be on channels that a key does not cover: they are known only once it was looked at. */
async function refusalOf(
  cluster: ClusterViews,
  { params: { id = '' }, principal }: ConnectionCall,
  scope: Scope,
): Promise<Answer | undefined> {
  if (isFree(principal, scope)) return undefined;
  const seen = await viewOf(cluster, id, scope, principal);
  return seen.status === 200 ? undefined : seen;
}

/** A connection, to a caller that may do this on all the channels that it is on. One that is on none is of no caller with limits. */
async function viewOf(cluster: ClusterViews, id: string, scope: Scope, principal?: Principal): Promise<Answer> {
  const answer = await cluster.answer({ about: 'connection', id });
  if (principal === undefined || answer.status !== 200 || principal.isUnlimited(scope)) return answer;
  const channels = channelsOf(answer);
  const isCovered = (channel: unknown) =>
    typeof channel === 'string' && principal.refuseChannel(scope, channel) === undefined;
  return channels.length > 0 && channels.every(isCovered) ? answer : forbidden;
}

/** The channels of a connection's view, which is as its node gave it. */
function channelsOf(answer: Answer | undefined): readonly string[] {
  const { channels } = (answer?.view ?? {}) as { readonly channels?: unknown };
  return Array.isArray(channels) ? channels : [];
}

/** Of a row, the node that it is of. */
type NodeView = ConnectionView & { readonly node: string };

const nodeRows: RowKind<NodeView> = { keyOf: connectionRows.keyOf, join: (one) => one };

function answerConnections(
  cluster: ClusterViews,
  list: ConnectionFilter & PageOrder,
  about: { readonly user?: string },
): Promise<Answer> {
  return cluster.gather({ about: 'connections', ...list }, readConnectionPage, (replies, silent) => {
    const page = mergePages(replies.map(pageOfNode), list.limit, nodeRows);
    return shown({ ...about, connections: page.rows, ...cursorFor(page, nodeRows), silent });
  });
}

function pageOfNode({ node, answer: { rows, more } }: NodeReply<Page<ConnectionView>>): Page<NodeView> {
  return { rows: rows.map((row) => ({ node, ...row })), more };
}

function cursorFor<Row>({ rows, more }: Page<Row>, { keyOf }: RowKind<Row>): { readonly cursor?: string } {
  const last = rows.at(-1);
  return more && last !== undefined ? { cursor: cursorOf(keyOf(last)) } : {};
}

function answerDeliver(cluster: ClusterViews, to: Recipient, item: object): Promise<Answer> {
  return cluster.gather({ about: 'deliver', to, item }, readOrderResult, (replies, silent) => {
    const { known, connections, taken } = sumOrderResults(replies.map(({ answer }) => answer));
    if (known === 'here') return shown({ message: 'Delivered', connections, taken, silent });
    if (known === 'ended') return connectionEnded(silent);
    return 'user' in to ? userUnknown(silent) : connectionUnknown(silent);
  });
}

function answerSubscribe(
  cluster: ClusterViews,
  id: string,
  channels: readonly string[],
  isOn: boolean,
): Promise<Answer> {
  return cluster.gather({ about: 'subscribe', id, channels, isOn }, readSubscribeResult, (replies, silent) => {
    const found = replies.find(({ answer }) => answer.known === 'here');
    if (found === undefined) {
      const isEnded = replies.some(({ answer }) => answer.known === 'ended');
      return isEnded ? connectionEnded(silent) : connectionUnknown(silent);
    }
    const { refused, channels: now = [] } = found.answer;
    if (refused === 'unfit') return subscribeRefused('it is a long poll, which ends with its first item');
    if (refused === 'full') return subscribeRefused('it would have more channels than connection_subscription_max');
    return shown({ message: isOn ? 'Subscribed' : 'Unsubscribed', node: found.node, channels: now, silent });
  });
}
