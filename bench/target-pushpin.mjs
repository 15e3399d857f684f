// Pushpin as Debian packages it, on ports and in a folder of its own, as a target; with its defaults, but for what the comments say.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, start, waitForPorts } from './process.mjs';
import { gripSpeech, makeFolder, RunningTarget } from './target.mjs';

// By their full paths: npm puts our own command `pushpin` in front of the search path.
const programs = { pushpin: '/usr/bin/pushpin', zurl: '/usr/bin/zurl', condure: '/usr/bin/condure' };

/** Deliveries per second, and waiting ones: far more than come, where Pushpin's defaults would slow it down. */
const UNLIMITED = 100_000_000;

/** @param {string} folder @param {{ client: number, control: number }} ports */
function pushpinConf(folder, { client, control }) {
  const zurl = (/** @type {string} */ name) => `ipc://${folder}/run/bench-zurl-${name}`;
  const handler = (/** @type {string} */ name) => `ipc://${folder}/run/bench-${name}`;
  return `[global]
include={libdir}/internal.conf
rundir=${folder}/run
ipc_prefix=bench-
port_offset=0

[runner]
services=condure,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:${client}
logdir=${folder}/log
log_level=0
client_buffer_size=8192
client_maxconn=50000
condure_bin=${programs.condure}

[proxy]
routesfile=${folder}/routes
sig_iss=pushpin
sig_key=changeme
updates_check=off
zurl_out_specs=${zurl('in')}
zurl_out_stream_specs=${zurl('in-stream')}
zurl_in_specs=${zurl('out')}

[handler]
push_in_spec=${handler('push-in')}
push_in_sub_specs=${handler('push-in-sub')}
command_spec=${handler('command')}
stats_spec=${handler('stats')}
push_in_http_addr=127.0.0.1
push_in_http_port=${control}
message_rate=${UNLIMITED}
message_hwm=${UNLIMITED}
message_wait=5000
id_cache_ttl=60
connection_subscription_max=20
subscription_linger=60
`;
}

/** Debian's zurl.conf, with its list of denied hosts emptied: the origin is on 127.0.0.1. @param {string} folder */
function zurlConf(folder) {
  const spec = (/** @type {string} */ name) => `ipc://${folder}/run/bench-zurl-${name}`;
  return `[General]
instance_id=
in_spec=${spec('in')}
in_stream_spec=${spec('in-stream')}
out_spec=${spec('out')}
in_req_spec=
defpolicy=allow
allow=
deny=
max_open_requests=2000
buffer_size=200000
timeout=600
in_hwm=1000
out_hwm=1000
`;
}

/** Its four processes find each other a while after they listen; until then requests are lost between them. */
const MEET_MS = 2_000;

/** Waits until it passes a request on, and holds one. @param {number} port */
async function waitForAnswers(port) {
  const url = `http://127.0.0.1:${port}`;
  for (const path of ['/bytes/1', '/stream?ch=first']) {
    for (let tries = 0; !(await answers(`${url}${path}`)); tries++) {
      if (tries > 100) throw new Error(`does not answer a request for ${path}`);
      await delay(50);
    }
  }
  await delay(MEET_MS);
}

/** @param {string} url */
async function answers(url) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 1_000);
  try {
    return (await fetch(url, { signal: stop.signal })).status === 200;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/** @type {import('./target.mjs').Target} */
export const pushpin = {
  name: 'pushpin',
  title: 'Pushpin 1.36',
  roles: ['hold', 'pass', 'echo'],
  asksOrigin: true,
  isGrip: true,
  // A second after the first subscription to a channel it asks the origin again for all that is held on it.
  settleMs: 2_500,
  missing: () => Object.values(programs).find((file) => !existsSync(file)),
  async start({ originPort }) {
    const folder = makeFolder('pushpin');
    const ports = { client: await freePort(), control: await freePort() };
    for (const name of ['run', 'log', 'runner/certs']) mkdirSync(path.join(folder, name), { recursive: true });
    const origin = `127.0.0.1:${originPort}`;
    writeFileSync(path.join(folder, 'routes'), `* ${origin},over_http\n*,path_beg=/echo ${origin}\n`);
    writeFileSync(path.join(folder, 'pushpin.conf'), pushpinConf(folder, ports));
    writeFileSync(path.join(folder, 'zurl.conf'), zurlConf(folder));
    const zurl = start(programs.zurl, [`--config=${folder}/zurl.conf`], { cwd: folder });
    const proxy = start(programs.pushpin, ['--config', `${folder}/pushpin.conf`, '--merge-output'], { cwd: folder });
    const running = new RunningTarget([proxy, zurl], ports, gripSpeech, folder);
    try {
      await waitForPorts(proxy, [ports.control, ports.client]);
      await waitForAnswers(ports.client);
    } catch (error) {
      await running.stop();
      throw error;
    }
    return running;
  },
};
