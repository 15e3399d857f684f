/** Owns: looking at addresses of Redis and of ZeroMQ sockets before anything is opened. Does not own: their forms (control API). */
import { ControlError, checkZeroMqSpec, parseRedisUrl } from '@holdfast/control-api';
import type { Config } from '../config.js';

/** What is wrong with them, one line for each, with the option: what a start would refuse. */
export function addressProblems({ redis, zeromq }: Config): readonly string[] {
  const { pull, sub, command, stats } = zeromq;
  const specs = [
    ['push_in_spec', pull],
    ...sub.map((spec) => ['push_in_sub_specs', spec] as const),
    ['command_spec', command],
    ['stats_spec', stats],
  ] as const;
  return [
    ...problemsIn('redis_url', redis?.url, parseRedisUrl),
    ...specs.flatMap(([option, spec]) => problemsIn(option, spec, checkZeroMqSpec)),
  ];
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
