/** Debian's Prosody as a child process: an XMPP server with two accounts and one component, which a test may stop and start again. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Child, startChild } from './child.js';
import { newDirectory } from './holdfast.js';
import { freePort } from './ports.js';

/** Of clients and of the component. */
export const SECRET = 'open sesame';

/** The domain of the component. */
export const PUSH = 'push.localhost';

/** An XMPP server on ports of 127.0.0.1 that stay the same. Accounts `alice` and `bob` at `localhost`. */
export class Prosody {
  readonly #t: Test;
  readonly #file: string;
  readonly clientPort: number;
  readonly componentPort: number;
  #child: Child | undefined;

  constructor(t: Test, directory: string, clientPort: number, componentPort: number) {
    this.#t = t;
    this.clientPort = clientPort;
    this.componentPort = componentPort;
    const accounts = join(directory, 'data', 'localhost', 'accounts');
    mkdirSync(accounts, { recursive: true });
    for (const name of ['alice', 'bob'])
      writeFileSync(join(accounts, `${name}.dat`), `return { ["password"] = "${SECRET}" };\n`);
    this.#file = join(directory, 'prosody.cfg.lua');
    writeFileSync(this.#file, configuration(directory, clientPort, componentPort));
  }

  /** For `xmpp_component`. */
  get component(): string {
    return `${PUSH}@127.0.0.1:${this.componentPort}`;
  }

  /** Starts it; resolves when it takes clients and components. */
  async start(): Promise<void> {
    const child = startChild(this.#t, { command: 'prosody', args: ['--config', this.#file, '-F'] });
    this.#child = child;
    await child.line(/Activated service 'c2s' on/);
    await child.line(/Activated service 'component' on/);
  }

  /** Ends it as an operator does: it says goodbye to all. */
  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.#child?.signal('SIGKILL');
    await this.#child?.exited;
  }

  /** What it has written. */
  get output(): string {
    return this.#child?.stdout ?? '';
  }
}

/** What comes for a client that is not there is sent back, and not kept for it. */
function configuration(directory: string, clientPort: number, componentPort: number): string {
  return `
run_as_root = true
pidfile = "${directory}/prosody.pid"
data_path = "${directory}/data"
log = { { levels = { min = "debug" }, to = "console" } }
plugin_paths = {}
interfaces = { "127.0.0.1" }
c2s_ports = { ${clientPort} }
component_ports = { ${componentPort} }
component_interfaces = { "127.0.0.1" }
modules_enabled = { "roster", "saslauth", "disco" }
modules_disabled = { "s2s", "offline", "tls" }
authentication = "internal_plain"
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
VirtualHost "localhost"
Component "${PUSH}"
  component_secret = "${SECRET}"
`;
}

/** Starts a Prosody that ends with the test. */
export async function startProsody(t: Test): Promise<Prosody> {
  const server = new Prosody(t, newDirectory(t), await freePort(), await freePort());
  await server.start();
  return server;
}
