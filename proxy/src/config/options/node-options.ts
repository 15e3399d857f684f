/** Options about several nodes that work as one. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';

const group = 'Several nodes';

export const nodeOptions = [
  {
    key: 'redis_url',
    group,
    type: 'secret',
    doc: 'The Redis or Valkey (7 or later) through which nodes share what is published: `redis://[user:password@]host:6379/0`, `redis+sentinel://host:26379,host:26379/mymaster`, `redis+cluster://host:7000,host:7001`; with `rediss` in place of `redis` over TLS. Nodes with the same URL and prefix are one system. Without it the node is alone.',
  },
  {
    key: 'redis_prefix',
    group,
    type: 'string',
    default: 'holdfast',
    doc: 'What every key and channel in Redis begins with, so that several systems can share one. Without braces.',
  },
  {
    key: 'redis_tls_ca',
    group,
    type: 'path',
    base: 'config',
    doc: 'File with the certificates (PEM) that Redis’s own is checked against; without it those that Node.js comes with.',
  },
  {
    key: 'redis_tls_cert',
    group,
    type: 'path',
    base: 'config',
    doc: 'File with the certificate (PEM) that the node shows to Redis; needs `redis_tls_key`.',
  },
  {
    key: 'redis_tls_key',
    group,
    type: 'path',
    base: 'config',
    doc: 'File with the private key (PEM) of `redis_tls_cert`.',
  },
  {
    key: 'ready_without_redis',
    group,
    type: 'bool',
    default: true,
    doc: 'Whether `/readyz` answers 200 while Redis is away, saying `degraded`: requests are still served, and connections held. `false` makes it 503, where a load balancer has other nodes to turn to.',
  },
  {
    key: 'gap_policy',
    group,
    type: 'enum',
    values: ['close', 'continue'],
    default: 'close',
    doc: 'What happens to a held connection of whose channel items are lost for good, and which has no next link to ask its origin with: `close` ends it, so that its client comes back and starts anew, `continue` goes on with the items that follow.',
  },
] as const satisfies readonly Option[];
