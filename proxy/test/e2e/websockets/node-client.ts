/** Starting Node's own WebSocket client in a process, and reading its output. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';

const script = join(root, 'proxy', 'dist-test', 'e2e', 'websockets', 'node-client-process.js');

/** One step of the script. */
export type Step =
  | { readonly send: string }
  | { readonly bytes: number }
  | { readonly messages: number }
  | { readonly close: readonly [code?: number, reason?: string] };

/** One line of output. Long texts and all bytes appear as their length and hash. */
export type Happening =
  | { readonly open: { readonly protocol: string; readonly extensions: string } }
  | { readonly text: string }
  | { readonly bytes: number; readonly hash: string }
  | { readonly closed: { readonly code: number; readonly reason: string; readonly wasClean: boolean } };

/** A client in its process. */
export class NodeClient {
  readonly child: Child;

  constructor(child: Child) {
    this.child = child;
  }

  /** All that has happened so far. */
  get happenings(): Happening[] {
    const lines = this.child.stdout.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as Happening);
  }

  /** Waits until the handshake is complete. */
  async open(): Promise<void> {
    await this.child.line(/^\{"open"/m);
  }

  /** Waits for the end; resolves with all that has happened. */
  async end(): Promise<Happening[]> {
    await this.child.line(/^\{"closed".*\n/m);
    return this.happenings;
  }
}

/** Starts a client that goes through the steps; it ends with the test. */
export function startNodeClient(
  t: Test,
  url: string,
  steps: readonly Step[],
  { protocols = [], env = {} }: { protocols?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): NodeClient {
  const args = ['--no-warnings', '--experimental-websocket', script, url, JSON.stringify(steps), ...protocols];
  return new NodeClient(startChild(t, { command: process.execPath, args, env }));
}
