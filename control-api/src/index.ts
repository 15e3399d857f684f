/**
 * The only door of @holdfast/control-api: the way from a publisher to every node.
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
export type { History, HistoryPage, HistoryStart } from './backplane/history.js';
export { IdCache, type IdCacheEvents, type RecentIds } from './backplane/id-cache.js';
export { LocalBackplane } from './backplane/local.js';
export { LocalHistory, type LocalHistoryOptions } from './backplane/local-history.js';
export type { Clock } from './clock.js';
export { ControlError, type ControlErrorCode, controlErrors, type ErrorSide } from './errors.js';
export { noPublishEvents, type PublishEvents } from './events.js';
export type { ListenAddress } from './listen.js';
export { type Log, silentLog } from './log.js';
export type { KnownNode, NodeAnswer, NodeMember, NodeState, Nodes, Question } from './nodes/nodes.js';
export { Publisher, type PublisherOptions, type PublishReceipt } from './publish.js';
export { ControlServer, type ControlServerOptions } from './server.js';
export type { StatsConnection } from './stats/connections.js';
export { noStats, type StatsDelivery, type StatsEvents, StatsFeed, type StatsFeedOptions } from './stats/feed.js';
export type { ReportCount } from './stats/report.js';
export type { StatsSink } from './stats/sink.js';
export type { SubscriptionMode } from './stats/subscriptions.js';
export type { Connections } from './zmq/methods.js';
export { pushPacket } from './zmq/push.js';
export { type ZeroMqAddress, type ZeroMqOptions, ZeroMqSockets, type ZeroMqSpecs } from './zmq/sockets.js';
export type { InterestListener } from './zmq/sub.js';
