import type { Test } from 'tap';
import { type Child, commandFile, startChild } from '../../kit/child.js';

const command = commandFile('holdfast');

/** What tests look at of a report in JSON. */
export interface LoadReport {
  readonly run: string | null;
  readonly clients: Readonly<Record<'wanted' | 'held' | 'open' | 'refused' | 'reconnected', number>>;
  readonly failed: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly items: { readonly published: number; readonly unpublished: number; readonly seen: boolean };
  readonly delivery: Readonly<Record<'received' | 'lost' | 'doubled' | 'disordered' | 'early', number>>;
  readonly latency: readonly (readonly [us: number, count: number])[];
  readonly percentiles: { readonly delivery: Readonly<Record<string, number | null>> };
  readonly timeline: { readonly rows: readonly Readonly<Record<string, number>>[] };
  readonly machines: readonly Readonly<Record<string, number>>[];
  readonly warnings: readonly string[];
  readonly failures: readonly { readonly rule: string; readonly value: number | null }[];
}

/** Starts the command. */
export function startLoad(t: Test, args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
  return startChild(t, { command: process.execPath, args: [command, 'load', ...args], env });
}

/** Runs the command to its end, with its report in JSON. */
export async function runLoad(t: Test, ...args: readonly string[]) {
  const child = startLoad(t, [...args, '--report', 'json']);
  const { code } = await child.exited;
  if (child.stdout === '') throw new Error(`no report: status ${code}\n${child.stderr}`);
  return { code, report: JSON.parse(child.stdout) as LoadReport, stdout: child.stdout, stderr: child.stderr };
}
