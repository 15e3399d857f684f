/** The entry point of @holdfast/control-api: the way from a publisher to every node. */
export { type Admission, type Caller, ControlAccess } from './auth/access.js';
export { ChannelPatterns } from './auth/channel-patterns.js';
export { readClaims } from './auth/claims.js';
export { digestOf } from './auth/digest.js';
export { type Jwks, type JwksFound, type JwksPlace, JwksPool } from './auth/jwks.js';
export {
  type KeyEntry,
  type KeyMember,
  type KeyProblem,
  type KeysRead,
  ONE_KEY_ID,
  type ReadKeyFile,
  readKeyEntries,
  readOneKey,
} from './auth/key-entries.js';
export { type ControlKey, KeyTable } from './auth/key-table.js';
export { type Action, controlActions, DETAIL_TYPE, isAction } from './auth/rights.js';
export { TokenCache } from './auth/token-cache.js';
export {
  type Acceptance,
  type Backplane,
  type BackplaneListener,
  type Gap,
  type GapReason,
  type History,
  type HistoryPage,
  type HistoryStart,
  historyOf,
  type ItemClaim,
  type ItemMessage,
  type LastItems,
  type Message,
  type Position,
  type PrefixInterest,
  prefixInterestOf,
  type RecoverMessage,
} from './backplane/backplane.js';
export { BackplaneHub, type BackplaneHubOptions, HubShare, type InterestFollower } from './backplane/hub.js';
export { IdCache, type IdCacheEvents, type RecentIds } from './backplane/id-cache.js';
export type { ItemHeaders } from './backplane/item-headers.js';
export { LocalBackplane } from './backplane/local.js';
export { LocalHistory, type LocalHistoryOptions } from './backplane/local-history.js';
export { RedisBackplane, type RedisBackplaneOptions } from './backplane/redis/backplane.js';
export type { RedisTls } from './backplane/redis/connection/connection.js';
export { parseRedisUrl, type RedisUrl } from './backplane/redis/connection/url.js';
export { noRedisEvents, type RedisEvents } from './backplane/redis/events.js';
export { decodeMessage, encodeMessage, MessageEncoder } from './backplane/workers/message-bytes.js';
export { TurnEnd } from './backplane/workers/turn-end.js';
export { WorkerBackplane, type WorkerBackplaneOptions } from './backplane/workers/worker-backplane.js';
export { type LinkPort, WorkerLink, type WorkerLinkOptions } from './backplane/workers/worker-link.js';
export type { Callback, CallbackChannel, CallbackRecord, CallbackState, CallbackStatus } from './callbacks/callback.js';
export { Callbacks, type CallbacksOptions } from './callbacks/callbacks.js';
export {
  type AddressPolicy,
  CallbackDeliverer,
  type CallbackDelivererOptions,
  LAST_CALLBACKS_MS,
} from './callbacks/deliverer.js';
export { LocalCallbacks } from './callbacks/local-store.js';
export type { CallbackRequest } from './callbacks/read-callback.js';
export { RedisCallbacks, type RedisCallbacksOptions } from './callbacks/redis/store.js';
export type { CallbackDrop, CallbackEnd, CallbackReports } from './callbacks/sender.js';
export type { Backlog, CallbackListener, CallbackStore, CallbackWork } from './callbacks/store.js';
export {
  type Cluster,
  type KnownNode,
  type NodeAnswer,
  type NodeMember,
  type NodeState,
  type Question,
  StandaloneNode,
} from './cluster/cluster.js';
export type {
  CloseOrder,
  ConnectionFilter,
  ConnectionQuestion,
  PageOrder,
  Recipient,
} from './cluster/connection-questions.js';
export { RedisNodes, type RedisNodesOptions } from './cluster/redis.js';
export { RedisRevocations } from './cluster/redis-revocations.js';
export { type Revocation, type RevocationStore, Revocations, readRevocations } from './cluster/revocations.js';
export { ControlError, type ControlErrorCode, controlErrors } from './errors.js';
export { CustomerEvents, type CustomerEventsOptions, LAST_EVENTS_MS } from './events/customer-events.js';
export { type CustomerEvent, type EventSink, type EventType, eventTypes, isEventType } from './events/event.js';
export { type EventCounts, type EventDropReason, Outbox, type OutboxOptions } from './events/outbox.js';
export { type EventReceiver, HttpReceiver, type PostResult } from './events/receiver.js';
export { type Answer, forbidden, methodNotAllowed } from './http/answer.js';
export { certificateNames } from './http/client-certificate.js';
export type { ListenAddress } from './http/listen.js';
export { ListenerConnections, type ListenerConnectionsOptions, type Phase } from './http/listener-connections.js';
export { type OriginList, PageGuard } from './http/page-guard.js';
export { receiptNotes } from './http/receipt-notes.js';
export { type Principal, type Route, type RouteCall, Router, type Scope } from './http/router.js';
export { LocalOccupancy, type LocalOccupancyOptions } from './occupancy/local.js';
export type { Occupancy, OccupancyCounts, OccupancyEdge, OccupancyListener } from './occupancy/occupancy.js';
export { RedisOccupancy, type RedisOccupancyOptions } from './occupancy/redis.js';
export { OccupancyShare } from './occupancy/share.js';
export { PRESENCE_SUFFIX } from './presence/announcer.js';
export {
  type MemberRow,
  type MembersView,
  PRESENCE_MEMBERS_MAX,
  readMembersView,
  sumMembersViews,
} from './presence/members.js';
export { Presence, type PresenceOptions } from './presence/presence.js';
export {
  type ControlResult,
  noPublishEvents,
  type PublishEvents,
  Publisher,
  type PublisherOptions,
  type PublishLimits,
  type PublishReceipt,
} from './publisher.js';
export { controlResult } from './request-report.js';
export type { ControlViews, DrainPhase, DrainState, NodeDrainPort, NodeViews } from './routes.js';
export { CAUSE_MS, CauseLog, PacedLog } from './runtime/bounded-logs.js';
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
export { Pace, type Rate } from './runtime/pace.js';
export { ControlServer } from './server.js';
export { type ControlServerOptions, MAX_CONNECTIONS as CONTROL_CONNECTIONS } from './server-options.js';
export type { StatsConnection } from './stats/announcements.js';
export { noStats, type StatsDelivery, type StatsEvents, StatsFeed, type StatsFeedOptions } from './stats/feed.js';
export { type StatsSink, statsTypes } from './stats/packet.js';
export { type ReportCount, reportCounts } from './stats/report.js';
export {
  formatTraceparent,
  newTraceContext,
  parseTraceparent,
  readTraceContext,
  readTracestate,
  SAMPLED,
  type TraceContext,
} from './tracing/trace-context.js';
export {
  ATTRIBUTE_CHARS,
  Propagation,
  type Span,
  type SpanAttributes,
  type SpanKind,
  type SpanStart,
  type Tracing,
} from './tracing/tracing.js';
export { ChannelHistory } from './views/channel-history.js';
export { ChannelTaps } from './views/channel-taps.js';
export {
  type ChannelView,
  ClusterViews,
  mergeAnswers,
  readChannelView,
  sumChannelViews,
} from './views/cluster-views.js';
export {
  type ChannelRow,
  type ConnectionView,
  type KindCounts,
  type Known,
  type OrderResult,
  readConnectionView,
  type SubscribeResult,
} from './views/connection-answers.js';
export { byCodeUnits, type Page } from './views/pages.js';
export { REACH_CHANNELS, REACH_MAX_MS, Reach, type SubscriberCounts } from './views/reach.js';
export { TokenRevocations } from './views/token-revocations.js';
export { type EventKey, readEventKeys, signatures } from './webhooks/signature.js';
export type { Connections } from './zmq/command.js';
export { type CurveKeyPair, isCurveKey, makeCurveKeyPair, publicCurveKey } from './zmq/curve.js';
export { parseSpec as checkZeroMqSpec, pushPacket } from './zmq/library.js';
export type { CurveKeys } from './zmq/security.js';
export { type ZeroMqAddress, type ZeroMqOptions, ZeroMqSockets, type ZeroMqSpecs } from './zmq/sockets.js';
