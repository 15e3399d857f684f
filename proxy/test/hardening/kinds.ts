/** The list of all kinds; a new one is put here. */
import type { Kind } from './kind.js';
import { configuration } from './kinds/configuration.js';
import { controlCalls } from './kinds/control-calls.js';
import { instructs } from './kinds/instructs.js';
import { originAnswers } from './kinds/origin-answers.js';
import { publishes } from './kinds/publishes.js';
import { redisMessages } from './kinds/redis-messages.js';
import { requests } from './kinds/requests.js';
import { sockJs } from './kinds/sock-js.js';
import { subscribers } from './kinds/subscribers.js';
import { events, webSockets } from './kinds/web-sockets.js';
import { zeroMq } from './kinds/zero-mq.js';

export const kinds: readonly Kind[] = [
  requests,
  originAnswers,
  instructs,
  publishes,
  controlCalls,
  subscribers,
  webSockets,
  events,
  sockJs,
  zeroMq,
  redisMessages,
  configuration,
];
