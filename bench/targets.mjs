// Owns: which targets there are, in the order of the table. Does not own: any of them.
import { holdfastNode, holdfastUws } from './target-holdfast.mjs';
import { httpProxy } from './target-http-proxy.mjs';
import { direct, limit } from './target-limit.mjs';
import { nchan, nginx } from './target-nginx.mjs';
import { pushpin } from './target-pushpin.mjs';

/** @type {readonly import('./target.mjs').Target[]} */
export const targets = [limit, direct, holdfastUws, holdfastNode, nchan, nginx, httpProxy, pushpin];
