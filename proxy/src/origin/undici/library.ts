/** The part of undici that is used: the only importer of it. */
import { createRequire } from 'node:module';
import type * as Undici from 'undici';

export type { Dispatcher } from 'undici';
export type Connector = Undici.buildConnector.connector;

/**
 * A client of one origin, and what opens its connections, without the rest of undici (fetch, caches, mocks, WebSockets), which
 * would take a tenth of a second at each start. undici does not promise where in its package they are: where they are not found there,
 * all of it is loaded.
 *
 * @param require  only tests give another
 */
export function loadUndici(
  require: NodeJS.Require = createRequire(import.meta.url),
): Pick<typeof Undici, 'buildConnector' | 'Client'> {
  try {
    const Client = require('undici/lib/dispatcher/client.js') as typeof Undici.Client;
    const buildConnector = require('undici/lib/core/connect.js') as typeof Undici.buildConnector;
    return { Client, buildConnector };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
    return require('undici') as typeof Undici;
  }
}

export const { buildConnector, Client } = loadUndici();
