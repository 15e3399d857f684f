/**
 * The fault test of a whole node: each attack is sent beside a thousand held clients and a publisher, none of whom
 * may notice.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { makeCertificate } from '../kit/certificates.js';
import type { Attack, Target } from './attacks/attack.js';
import { floodAttacks } from './attacks/floods.js';
import { itemAttacks } from './attacks/items.js';
import { messageAttacks } from './attacks/messages.js';
import { type OpenFixture, openFixture } from './fixture.js';
import { HeldClients, THOUSAND } from './held-clients.js';
import type { EdgeName } from './node-under-test.js';

/** All of them, in the order in which they are sent. */
export const attacks: readonly Attack[] = [...messageAttacks, ...itemAttacks, ...floodAttacks];

/** Most that the node may take while it is attacked, in bytes: what its heap may, and nearly as much again beside it. */
const RESIDENT_MAX = 480 * 1_048_576;
/** Open files of the node: the held clients and their origins have room, and an attack reaches the end of it. */
const FILES = 3_000;

/** How much time a node has; the limits of origins are short, so that an attack ends. Others are the defaults. */
const SETTINGS = {
  id_cache_ttl: 60,
  origin_timeout: 5,
  client_header_timeout: 60,
  client_half_close_grace: 2,
  websocket_message_max: 16_777_216,
  subscription_linger: 60,
  client_queue_size: 1_048_576,
  message_wait: 5_000,
  allow_compression: false,
};

/** A node with its clients. */
class HeldNode {
  readonly fixture: OpenFixture;
  readonly clients: HeldClients;
  readonly target: Target;
  peak = 0;
  readonly #watch: NodeJS.Timeout;

  private constructor(fixture: OpenFixture, clients: HeldClients, target: Target) {
    this.fixture = fixture;
    this.clients = clients;
    this.target = target;
    this.#watch = setInterval(() => {
      this.peak = Math.max(this.peak, fixture.node.residentBytes());
    }, 50);
  }

  static async start(edge: EdgeName): Promise<HeldNode> {
    const certificates = mkdtempSync(join(tmpdir(), 'holdfast-hardening-'));
    makeCertificate({ directory: certificates, base: 'default_0', names: ['DNS:localhost'] });
    const fixture = await openFixture(edge, undefined, {
      settings: { ...SETTINGS, https_ports: '127.0.0.1:0', tls_certs_dir: certificates },
      files: FILES,
      inFile: true,
    });
    const { node, origin } = fixture;
    const reroute = async (lines: readonly string[]) => {
      writeFileSync(node.routesFile, [...lines, ...fixture.routes].join('\n'));
      node.signal('SIGHUP');
      await delay(300);
    };
    const target: Target = { edge, node, origin, tlsPort: node.port('clients', 'https'), reroute };
    const clients = await HeldClients.open(node, THOUSAND);
    rmSync(certificates, { recursive: true, force: true });
    return new HeldNode(fixture, clients, target);
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await this.clients.close();
    await this.fixture.close();
  }
}

/** Sends one attack; what anybody notices fails the test. */
async function attackOne(t: Test, held: HeldNode, attack: Attack): Promise<boolean> {
  const { node, origin } = held.fixture;
  held.peak = 0;
  const began = Date.now();
  let failure: string | undefined;
  try {
    await attack.run(held.target);
  } catch (error) {
    failure = (error as Error).message;
  }
  const noticed = node.alive ? await held.clients.look() : [];
  const said = node.takeComplaints().filter((text) => attack.expected?.test(text) !== true);
  const complaints = [...said, ...noticed, ...origin.takeComplaints()];
  if (failure !== undefined) complaints.push(failure);
  if (held.peak > RESIDENT_MAX) complaints.push(`${Math.round(held.peak / 1_048_576)} MiB were resident`);
  t.comment(`${Date.now() - began} ms, at most ${Math.round(held.peak / 1_048_576)} MiB`);
  t.strictSame(complaints, [], 'nobody notices');
  return complaints.length === 0;
}

/** Runs all attacks on one edge; `HARDENING_ATTACK` in the environment selects those whose name has this text. */
export function testAttacks(edge: EdgeName): void {
  t.setTimeout(290_000);
  t.test(
    `a thousand held clients and a publisher, with edge: ${edge}`,
    { timeout: 280_000, bail: false },
    async (t) => {
      const wanted = process.env.HARDENING_ATTACK ?? '';
      let held: HeldNode | undefined;
      t.teardown(() => held?.close());
      for (const attack of attacks.filter(({ name }) => name.includes(wanted))) {
        await t.test(attack.name, { timeout: 90_000 }, async (t) => {
          held ??= await HeldNode.start(edge);
          if (await attackOne(t, held, attack)) return;
          await held.close();
          held = undefined;
        });
      }
    },
  );
}
