// Which targets and works there are, in the order of the tables, and which works a part of the bench means.
import { holdfastNode, holdfastUws } from './target-holdfast.mjs';
import { httpProxy } from './target-http-proxy.mjs';
import { direct, limit } from './target-limit.mjs';
import { nchan, nginx } from './target-nginx.mjs';
import { pushpin } from './target-pushpin.mjs';
import { acknowledgeWork } from './work-acknowledge.mjs';
import { burstWork } from './work-burst.mjs';
import { compressedWork } from './work-compressed.mjs';
import { drainWork } from './work-drain.mjs';
import { echoWork } from './work-echo.mjs';
import { holdWork } from './work-hold.mjs';
import { idleWork } from './work-idle.mjs';
import { keysWork } from './work-keys.mjs';
import { latencyWork } from './work-latency.mjs';
import { coldWork, reconnectWork } from './work-opening.mjs';
import { passWork } from './work-pass.mjs';
import { profileWorks } from './work-profile.mjs';
import { publishWork } from './work-publish.mjs';
import { redisLatencyWork, resubscribeWork } from './work-redis.mjs';
import { redisPublishWork } from './work-redis-publish.mjs';
import { deafTailsWork, tailsWork } from './work-tails.mjs';
import { tlsWork } from './work-tls.mjs';
import { tokensWork } from './work-tokens.mjs';
import { workersWork } from './work-workers.mjs';

/** @type {readonly import('./target.mjs').Target[]} */
export const targets = [limit, direct, holdfastUws, holdfastNode, nchan, nginx, httpProxy, pushpin];

/** @typedef {import('./work.mjs').Work} Work */

const kinds = /** @type {const} */ ([
  ['streams', 'stream'],
  ['websockets', 'ws'],
  ['polls', 'poll'],
]);

/** What a name on the command line means. @type {Readonly<Record<string, readonly Work[]>>} */
export const parts = {
  ...Object.fromEntries(kinds.map(([name, kind]) => [name, [holdWork(name, kind, ['opening', 'memory', 'fan-out'])]])),
  bursts: [burstWork('bursts-streams', 'stream'), burstWork('bursts-websockets', 'ws')],
  idle: [idleWork('idle-streams', 'stream'), idleWork('idle-websockets', 'ws')],
  publish: [publishWork],
  tls: [tlsWork('tls-streams', 'stream'), tlsWork('tls-websockets', 'ws')],
  cold: [coldWork('cold-streams', 'stream'), coldWork('cold-websockets', 'ws')],
  reconnect: [reconnectWork('reconnect-streams', 'stream'), reconnectWork('reconnect-websockets', 'ws')],
  tokens: [tokensWork('tokens-streams', 'stream'), tokensWork('tokens-websockets', 'ws')],
  pass: [passWork('small'), passWork('large'), passWork('upload')],
  echo: [echoWork('socket'), echoWork('over-http')],
  latency: [latencyWork],
  tails: [tailsWork, deafTailsWork],
  'redis-latency': [redisLatencyWork],
  'redis-publish': [redisPublishWork],
  resubscribe: [resubscribeWork],
  ack: [acknowledgeWork],
  keys: [keysWork],
  workers: [workersWork],
  compressed: [compressedWork],
  drain: [drainWork('haproxy')],
  'drain-nginx': [drainWork('nginx')],
  opening: kinds.map(([name, kind]) => holdWork(`opening-${name}`, kind, ['opening'])),
  memory: kinds.map(([name, kind]) => holdWork(`memory-${name}`, kind, ['opening', 'memory'])),
  profiles: profileWorks,
  ...Object.fromEntries(profileWorks.map((work) => [work.name, [work]])),
};

/** `opening` and `memory` are measured on the way to the fan-out; profiles are figures of nobody else; one balancer is enough. */
const unusual = new Set(['opening', 'memory', 'drain-nginx', 'profiles', ...profileWorks.map(({ name }) => name)]);

/** Parts of a run that names none. */
export const usualParts = Object.keys(parts).filter((name) => !unusual.has(name));

/** Every work by its name, for tables that are made from JSON. @type {ReadonlyMap<string, Work>} */
export const works = new Map(Object.values(parts).flatMap((list) => list.map((work) => [work.name, work])));
