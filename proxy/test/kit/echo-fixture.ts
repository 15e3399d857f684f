/** An echo origin of a kind and Holdfast in front of it. */
import type { ServerOptions } from 'node:https';
import type { Test } from 'tap';
import { type Holdfast, type HoldfastOptions, startHoldfast } from './holdfast.js';
import { type Kind, kinds, listen } from './origins/echo-origin.js';
import { until } from './until.js';

/** What the origin has seen of the clients. */
export interface EchoWitness {
  /** `127.0.0.1:port`. */
  readonly target: string;
  /** One line for each event, in the words of `EchoOptions.note`. */
  readonly seen: readonly string[];
  /** Waits until a line has been seen so many times. */
  saw(line: string, times?: number): Promise<void>;
}

/** Starts an echo origin that ends with the test. */
export async function startEcho(t: Test, kind: Kind, tls?: ServerOptions): Promise<EchoWitness> {
  const seen: string[] = [];
  const note = (line: string) => seen.push(line);
  const origin = await listen(kind, tls === undefined ? { note } : { note, tls });
  t.teardown(() => origin.close());
  const saw = async (line: string, times = 1) => {
    const count = () => seen.filter((other) => other === line).length;
    await until(
      `'${line}' at the origin, ${times} times`,
      () => count() >= times,
      () => seen.join('\n'),
    );
  };
  return { target: origin.target, seen, saw };
}

/** How the fixture differs from the usual. */
export interface EchoFixtureOptions extends Omit<HoldfastOptions, 'routes'> {
  /** Of the origin. */
  readonly tls?: ServerOptions;
  /** Further properties of the target, such as `ssl`. */
  readonly target?: string;
}

/** An origin, and Holdfast in front of it with one route for everything. */
export interface EchoFixture {
  readonly origin: EchoWitness;
  readonly holdfast: Holdfast;
}

/** Starts both; they end with the test. */
export async function startEchoFixture(
  t: Test,
  kind: Kind,
  { tls, target = '', ...options }: EchoFixtureOptions = {},
): Promise<EchoFixture> {
  const origin = await startEcho(t, kind, tls);
  const route = `* ${origin.target}${kinds[kind]}${target === '' ? '' : `,${target}`}`;
  return { origin, holdfast: await startHoldfast(t, { ...options, routes: [route] }) };
}
