/** What follows traces, as the options say. */
import { Propagation, type Tracing } from '@holdfast/control-api';
import type { Options } from '../config/table.js';

/** Undefined with `trace: off`: nothing is read, made or recorded. `random` gives numbers from 0 to below 1. */
export function makeTracing(
  { trace, traceSample }: Pick<Options, 'trace' | 'traceSample'>,
  random: () => number,
): Tracing | undefined {
  return trace === 'off' ? undefined : new Propagation(traceSample, random);
}
