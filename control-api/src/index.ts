/**
 * The only door of @holdfast/control-api: the way from a publisher to every node.
 */
export type { Backplane, BackplaneListener, ItemMessage, Message, RecoverMessage } from './backplane/backplane.js';
export { LocalBackplane } from './backplane/local.js';
export { ControlError, type ControlErrorCode, controlErrors, type ErrorSide } from './errors.js';
export { noPublishEvents, type PublishEvents } from './events.js';
export type { ListenAddress } from './listen.js';
export { type Log, silentLog } from './log.js';
export { Publisher, type PublisherOptions, type PublishReceipt } from './publish.js';
export { ControlServer, type ControlServerOptions } from './server.js';
