// The code under simulation, as it was built: what a node has between Redis and its subscribers.
import path from 'node:path';
import { root } from '../../scripts/setup.mjs';

const built = (/** @type {string} */ file) => import(path.join(root, file));

export const { BackplaneHub, RedisBackplane, noRedisEvents, silentLog } = await built('control-api/dist/index.js');
export const { RedisKeys, slotOf } = await built('control-api/dist/backplane/redis/keys.js');
export const { positionsScript } = await built('control-api/dist/backplane/redis/history-scripts.js');
export const { parseItem } = await built('grip/dist/index.js');
export const { ChannelRegistry } = await built('proxy/dist/channels/registry.js');
export const { ChannelInterest, ItemDelivery } = await built('proxy/dist/delivery/item-delivery.js');
export const { patternOf } = await built('proxy/dist/routes/channel-pattern.js');
export const { realClock } = await built('proxy/dist/runtime/clock.js');
