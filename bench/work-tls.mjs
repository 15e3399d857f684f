// The work that holds clients with TLS: opens them by full handshakes, reads their idle memory, fans out to them, and opens
// them once more by sessions that they have had.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { memoryKb } from './process.mjs';
import { makeFolder } from './target.mjs';
import { problemsOf, Testbed } from './testbed.mjs';
import { holdsClients } from './work.mjs';

/** Items of the check that comes first, which warms the target up as well. */
const CHECK_ITEMS = 10;
/** For a target to let go of closed holds. */
const CLOSE_MS = 1_000;
/** Before idle memory is read, at most: holds with TLS leave little behind that takes longer to be collected. */
const SETTLE_MAX_S = 3;

const names = { stream: 'HTTP streams', ws: 'WebSockets' };

/** @param {'stream' | 'ws'} kind @returns {readonly import('./work.mjs').Table[]} */
function tablesOf(kind) {
  return [
    {
      title: `TLS 1.3: fan-out to ${names[kind]}`,
      primary: 'deliveryUs',
      baselines: ['nchan'],
      columns: [
        { key: 'deliveryUs', title: 'CPU µs/delivery', digits: 2 },
        { key: 'idleKb', title: 'KB/hold, idle', digits: 2 },
        { key: 'clientUs', title: 'client µs', digits: 1 },
      ],
    },
    {
      title: `TLS 1.3: opening ${names[kind]}`,
      primary: 'openUs',
      baselines: ['nchan'],
      columns: [
        { key: 'openUs', title: 'full handshake: CPU µs/hold', digits: 0 },
        { key: 'resumeUs', title: 'resumed', digits: 0 },
      ],
    },
  ];
}

/** Makes a certificate with an ECDSA key of the curve P-256. @param {string} folder @returns {import('./target.mjs').Certificate} */
function makeCertificate(folder) {
  const [certFile, keyFile] = [path.join(folder, 'bench.crt'), path.join(folder, 'bench.key')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const about = ['-days', '2', '-subj', '/CN=bench.test', '-addext', 'subjectAltName=DNS:bench.test'];
  const { error, status, stderr } = spawnSync('openssl', ['req', '-x509', ...key, '-out', certFile, ...about]);
  if (status !== 0) throw new Error(`no certificate: ${error?.message ?? stderr}`);
  return { certFile, keyFile };
}

/**
 * Closes all holds, and lets the target notice.
 *
 * @param {Testbed} testbed
 * @param {import('./options.mjs').Options} options
 */
async function closeAll({ load }, { isSmoke }) {
  await load.do('close');
  await delay(isSmoke ? 100 : CLOSE_MS);
}

/**
 * @param {Testbed} testbed
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(testbed, options) {
  const { tlsHolds: holds, items, settleSeconds } = options;
  const settleMs = Math.min(settleSeconds, SETTLE_MAX_S) * 1_000;
  // These are in the memory of as many that were closed: what is grown by the others is theirs.
  const first = Math.floor(holds / 3);
  await testbed.hold(first);
  const checked = problemsOf(await testbed.load.do('publish', { items: CHECK_ITEMS }));
  if (checked.length > 0) return { values: {}, problems: checked.map((problem) => `in the check: ${problem}`) };
  await closeAll(testbed, options);
  await testbed.hold(first);
  await delay(settleMs);
  const before = memoryKb(testbed.running.pids);
  const opened = await testbed.open(holds);
  await delay(testbed.settleMs + settleMs);
  const after = memoryKb(testbed.running.pids);
  const answer = await testbed.load.do('publish', { items });
  await closeAll(testbed, options);
  const again = await testbed.open(holds, { resumes: true });
  const problems = [opened.problem ?? [], again.problem ?? [], problemsOf(answer)].flat();
  if (again.resumed < holds) problems.push(`only ${again.resumed} of ${holds} sessions were resumed`);
  return {
    values: {
      openUs: opened.cpuUs / (holds - first),
      resumeUs: again.cpuUs / holds,
      idleKb: (after - before) / (holds - first),
      deliveryUs: answer.cpu_us / answer.deliveries,
      clientUs: answer.client_cpu_us / answer.deliveries,
    },
    problems,
  };
}

/**
 * @param {string} name
 * @param {'stream' | 'ws'} kind
 * @returns {import('./work.mjs').Work}
 */
export function tlsWork(name, kind) {
  return {
    name,
    suits: (target) => holdsClients(target) && target.servesTls === true,
    tables: tablesOf(kind),
    async run({ target, programs, options }) {
      if (!programs.speaksTls)
        return {
          values: {},
          problems: ['the load speaks no TLS: OpenSSL to compile it with (libssl-dev) is not installed'],
        };
      const folder = makeFolder('certificate');
      try {
        const certificate = makeCertificate(folder);
        const { size, tlsHolds: count } = options;
        return await Testbed.with({ target, programs, kind, size, count, certificate }, (testbed) =>
          measure(testbed, options),
        );
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}
