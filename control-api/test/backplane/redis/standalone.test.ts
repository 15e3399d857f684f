import t from 'tap';
import type { RedisBackplane, RedisBackplaneOptions } from '../../../dist/index.js';
import { backplaneContract } from '../contract.js';
import { historyContract } from '../history-contract.js';
import { makeNode } from './backplane-fixture.js';
import { startRedis } from './redis-fixture.js';

const server = await startRedis(t);
let systems = 0;

/** Nodes that nobody else on this server knows of. */
function makeNodes(count: number, options: Partial<RedisBackplaneOptions> = {}) {
  systems += 1;
  const prefix = `hf${systems}`;
  return Array.from({ length: count }, () => makeNode(server.url, { redisPrefix: prefix, ...options }).backplane);
}

backplaneContract(t, 'redis', async () => ({ backplanes: makeNodes(3) }));

backplaneContract(t, 'redis, a single node', async () => ({ backplanes: makeNodes(1) }));

historyContract(t, 'redis', async (size) => {
  const [backplane] = makeNodes(1, { historySize: size }) as [RedisBackplane];
  return { backplane };
});
