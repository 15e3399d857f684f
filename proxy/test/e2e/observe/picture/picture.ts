/**
 * `npm run board`: makes docs/images/board.png. Two nodes with clients, publishers and an origin run for some minutes in which this
 * and that goes wrong, Debian's Prometheus scrapes them, and each query of deploy/grafana/holdfast.json is drawn as a panel.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { root } from '../../../kit/child.js';
import { readBoard, rulesFile } from '../board.js';
import { Crowd, type CrowdSize } from '../crowd.js';
import * as incidents from '../incidents.js';
import { Prometheus } from '../prometheus.js';
import { System } from '../system.js';
import { draw, readPanels } from './drawing.js';

t.setTimeout(900_000);

/** Between scrapes, in s. */
const SCRAPE = 4;
/** Until the first of the things that go wrong, and between them, in ms. */
const QUIET_MS = 30_000;
const BETWEEN_MS = 16_000;

const SIZE: CrowdSize = { streams: 120, polls: 20, sessions: 60, channels: 6, publishes: 20, requests: 30 };

const file = join(root, process.argv[2] ?? 'docs/images/board.png');
const system = await System.start(t, { shutdown: 8 });
const prometheus = await Prometheus.start(t, { nodes: system.targets, rules: rulesFile, interval: SCRAPE * 1_000 });
const run = { t, system, prometheus };
const first = await Crowd.start(t, system, SIZE);
await delay(QUIET_MS);
await Crowd.start(t, system, SIZE);

/** Happens again and again for a while. */
const often = (incident: (run: incidents.Run) => Promise<void>) => async () => {
  for (let n = 0; n < 8; n++) {
    await incident(run);
    await delay(500 + 1_000 * Math.random());
  }
};
for (const happens of [
  often(incidents.failOrigins),
  async () => first.cut(40),
  often(incidents.swapItems),
  () => incidents.stopReading(run),
  often(incidents.refuseClients),
  () => incidents.cutRedis(run),
  often(incidents.failPublishes),
  () => incidents.stopRedis(run, BETWEEN_MS),
  () => incidents.spoilRoutes(run),
  () => incidents.killWorker(run),
  () => incidents.garbleRedis(run),
  () => incidents.emptyRedis(run),
  () => incidents.drainSecond(run),
  () => system.startNode(1),
]) {
  await delay(BETWEEN_MS);
  await happens();
}
await delay(2 * BETWEEN_MS);

const { png } = await draw(t, await readPanels(prometheus, readBoard(), { step: SCRAPE, rate: 4 * SCRAPE }));
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, png);
t.pass(`${file}: ${png.length} bytes`);
