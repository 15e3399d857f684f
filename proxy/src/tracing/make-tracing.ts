/** What follows traces, as the options say. */
import { type Log, Propagation, type Tracing } from '@holdfast/control-api';
import type { Options } from '../config/table.js';
import { loadOpenTelemetry, OpenTelemetryTracing } from './opentelemetry.js';

/**
 * Undefined with `trace: off`: nothing is read, made or recorded. `random` gives numbers from 0 to below 1. One for a process.
 * @throws ConfigError where spans are asked for and the API of OpenTelemetry is not installed
 */
export function makeTracing(
  { trace, traceSample }: Pick<Options, 'trace' | 'traceSample'>,
  log: Log,
  random: () => number,
): Tracing | undefined {
  switch (trace) {
    case 'off':
      return undefined;
    case 'propagate':
      return new Propagation(traceSample, random);
    case 'spans':
      return new OpenTelemetryTracing(loadOpenTelemetry(), log);
  }
}
