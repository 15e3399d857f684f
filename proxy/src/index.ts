/** The entry point of @holdfast/proxy: a node to embed, and the tables from which the documentation is made. */

export { renderConfigDocs } from './app/config-docs.js';
export { configSearch, loadConfig } from './app/load-config.js';
export { HoldfastNode } from './app/node.js';
export type { Config } from './config/config.js';
export { proxyErrors } from './errors.js';
export { createLog, type RootLog } from './telemetry/log.js';
