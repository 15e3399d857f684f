/**
 * A look at the addresses of Redis and of ZeroMQ sockets, and at the keys of those who may connect to these, before anything is
 * opened; their forms are the control API's.
 */
import { ControlError, checkZeroMqSpec, parseRedisUrl } from '@holdfast/control-api';
import type { Config } from '../config.js';
import { CurveClients } from '../files/curve-clients.js';

/** What is wrong with them, one line for each, with the option: what a start would refuse. */
export function addressProblems(config: Config): readonly string[] {
  const specs = [
    ['push_in_spec', config.pushInSpec],
    ...(config.pushInSubSpecs ?? []).map((spec) => ['push_in_sub_specs', spec] as const),
    ['command_spec', config.commandSpec],
    ['stats_spec', config.statsSpec],
  ] as const;
  return [
    ...problemsIn('redis_url', config.redisUrl, parseRedisUrl),
    ...clientProblems(config),
    ...specs.flatMap(([option, spec]) => problemsIn(option, spec, checkZeroMqSpec)),
  ];
}

function clientProblems({ zmqCurveClientKeysFile: file }: Config): readonly string[] {
  try {
    new CurveClients([], file, () => {});
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

function problemsIn(option: string, text: string | undefined, check: (text: string) => unknown): readonly string[] {
  if (text === undefined) return [];
  try {
    check(text);
    return [];
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return [`${option}: ${error.message}`];
  }
}
