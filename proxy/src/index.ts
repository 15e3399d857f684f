/** The door of @holdfast/proxy: a node to embed, and the tables from which the documentation is made. */

export { renderConfigDocs } from './app/config-docs.js';
export { configSearch, loadConfig } from './app/load-config.js';
export { HoldfastNode } from './app/node.js';
export { workerErrors } from './app/workers/errors.js';
export { publishErrors } from './commands/publish/errors.js';
export { tapErrors } from './commands/tap/errors.js';
export { tokenErrors } from './commands/token/errors.js';
export type { Config } from './config/config.js';
export { configErrors } from './config/errors.js';
export { edgeErrors } from './edge/errors.js';
export { requestErrors } from './http/errors.js';
export { originErrors } from './origin/errors.js';
export { createLog, type RootLog } from './telemetry/log.js';
