import t from 'tap';
import { backplaneContract } from '../contract.js';
import { makeNode } from './backplane-fixture.js';
import { startRedis } from './redis-fixture.js';

const server = await startRedis(t);
let systems = 0;

/** Nodes that nobody else on this server knows of. */
function makeNodes(count: number) {
  systems += 1;
  const prefix = `hf${systems}`;
  return Array.from({ length: count }, () => makeNode(server.url, { redisPrefix: prefix }).backplane);
}

backplaneContract(t, 'redis', async () => ({ backplanes: makeNodes(3) }));

backplaneContract(t, 'redis, a single node', async () => ({ backplanes: makeNodes(1) }));
