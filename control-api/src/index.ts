/**
 * The entry point of @holdfast/control-api: the way from a publisher to every node.
 */
export type {
  Acceptance,
  Backplane,
  BackplaneListener,
  Gap,
  GapReason,
  ItemMessage,
  Message,
  Position,
  RecoverMessage,
} from './backplane/backplane.js';
export { type History, type HistoryPage, type HistoryStart, historyOf } from './backplane/history.js';
export { BackplaneHub, type BackplaneHubOptions, HubShare, type InterestFollower } from './backplane/hub.js';
export { IdCache, type IdCacheEvents, type RecentIds } from './backplane/id-cache.js';
export { LocalBackplane } from './backplane/local.js';
export { LocalHistory, type LocalHistoryOptions } from './backplane/local-history.js';
export { RedisBackplane, type RedisBackplaneOptions } from './backplane/redis/backplane.js';
export type { RedisTls } from './backplane/redis/connection/connection.js';
export { parseRedisUrl, type RedisUrl } from './backplane/redis/connection/url.js';
export { noRedisEvents, type RedisEvents } from './backplane/redis/events.js';
export { type LinkPort, MessageEncoder } from './backplane/workers/messages.js';
export { WorkerBackplane, type WorkerBackplaneOptions } from './backplane/workers/worker-backplane.js';
export { WorkerLink, type WorkerLinkOptions } from './backplane/workers/worker-link.js';
export type { Cluster, KnownNode, NodeAnswer, NodeMember, NodeState, Question } from './cluster/cluster.js';
export { RedisNodes, type RedisNodesOptions } from './cluster/redis.js';
export { StandaloneNode } from './cluster/standalone-node.js';
export { ControlError, type ControlErrorCode, controlErrors, type ErrorSide } from './errors.js';
export { noPublishEvents, type PublishEvents } from './events.js';
export { type Answer, methodNotAllowed } from './http/answer.js';
export { certificateNames } from './http/client-certificate.js';
export type { ListenAddress } from './http/listen.js';
export { ListenerConnections, type ListenerConnectionsOptions, type Phase } from './http/listener-connections.js';
export { type OriginList, PageGuard } from './http/page-guard.js';
export { type Principal, type Route, type RouteCall, Router, type Scope } from './http/router.js';
export { Publisher, type PublisherOptions } from './publisher.js';
export type { PublishReceipt } from './receipts.js';
export type { ControlViews } from './routes.js';
export { CAUSE_MS, CauseLog } from './runtime/cause-log.js';
export type { Clock } from './runtime/clock.js';
export {
  type Containment,
  type FaultEvents,
  type FaultPlace,
  Faults,
  type Faulty,
  faultPlaces,
  uncontained,
} from './runtime/faults.js';
export { type Log, silentLog } from './runtime/log.js';
export { ControlServer, type ControlServerOptions, MAX_CONNECTIONS as CONTROL_CONNECTIONS } from './server.js';
export type { StatsConnection } from './stats/connections.js';
export { noStats, type StatsDelivery, type StatsEvents, StatsFeed, type StatsFeedOptions } from './stats/feed.js';
export { statsTypes } from './stats/packet.js';
export { type ReportCount, reportCounts } from './stats/report.js';
export type { StatsSink } from './stats/sink.js';
export { ChannelTaps } from './views/channel-taps.js';
export { ClusterViews } from './views/cluster-views.js';
export {
  type ChannelView,
  type ConnectionView,
  mergeAnswers,
  readChannelView,
  readConnectionView,
  type SubscriberCounts,
  sumChannelViews,
} from './views/node-answers.js';
export { type CurveKeyPair, isCurveKey, makeCurveKeyPair, publicCurveKey } from './zmq/curve.js';
export type { Connections } from './zmq/methods.js';
export { pushPacket } from './zmq/push.js';
export type { CurveKeys } from './zmq/security.js';
export { type ZeroMqAddress, type ZeroMqOptions, ZeroMqSockets, type ZeroMqSpecs } from './zmq/sockets.js';
export { parseSpec as checkZeroMqSpec } from './zmq/spec.js';
export type { InterestListener } from './zmq/sub.js';
