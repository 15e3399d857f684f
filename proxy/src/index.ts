/** The entry point of the package: a node in the process of a program, and the errors that one may meet. docs/embedding.md describes it. */

export { ControlError, type PublishReceipt } from '@holdfast/control-api';
export { CodedError, GripError } from '@holdfast/grip';
export {
  type Embedding,
  type NodeAddresses,
  type PublishFormat,
  type PublishItem,
  type RunningNode,
  startNode,
} from './app/start-node.js';
export type { NodeOptions } from './config/node-options.js';
export { proxyErrors } from './error-table.js';
export { ConfigError, type ConfigProblem, EdgeError, RoutesError } from './errors.js';
export { version } from './package-files.js';
export type { NodeLog } from './telemetry/embedded-log.js';
