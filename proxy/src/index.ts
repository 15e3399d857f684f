/** The door of @holdfast/proxy: a node to embed, and the tables from which the documentation is made. */
export type { Config } from './config/config.js';
export { renderConfigDocs } from './config/docs.js';
export { configErrors } from './config/errors.js';
export { configSearch, loadConfig } from './config/load.js';
export { edgeErrors } from './edge/errors.js';
export { requestErrors } from './errors.js';
export { createLog, type RootLog } from './log.js';
export { HoldfastNode } from './node.js';
export { originErrors } from './origin/errors.js';
export { publishErrors } from './publish/errors.js';
export { tapErrors } from './tap/errors.js';
export { workerErrors } from './workers/errors.js';
