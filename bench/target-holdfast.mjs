// Holdfast with either edge as a target.
import path from 'node:path';
import { root } from '../scripts/setup.mjs';
import { freePort, start, waitForPorts } from './process.mjs';
import { gripSpeech, makeFolder, RunningTarget } from './target.mjs';

const command = path.join(root, 'proxy/bin/holdfast.js');

/** More than any bench opens. */
const CONNECTIONS_MAX = 200_000;

/**
 * @param {'node' | 'uws'} edge
 * @returns {import('./target.mjs').Target}
 */
function holdfast(edge) {
  return {
    name: `holdfast-${edge}`,
    title: `Holdfast, ${edge} edge`,
    roles: ['hold', 'pass'],
    asksOrigin: true,
    isGrip: true,
    missing: () => undefined,
    async start({ originPort, extra = [], nodeFlags = [] }) {
      const folder = makeFolder('holdfast');
      const [client, control] = [await freePort(), await freePort()];
      const args = [
        ...['--port', `127.0.0.1:${client}`, '--control-port', String(control), '--edge', edge],
        ...['--route', `* 127.0.0.1:${originPort},over_http`],
        // As with the others, no access log; and nothing that would slow a great number of deliveries down.
        ...['--log-level', '1', '--client-maxconn', String(CONNECTIONS_MAX), '--message-hwm', '-1'],
        ...extra,
      ];
      const started = start(process.execPath, [...nodeFlags, command, ...args], { cwd: folder });
      const running = new RunningTarget([started], { client, control }, gripSpeech, folder);
      try {
        await waitForPorts(started, [client, control]);
      } catch (error) {
        await running.stop();
        throw error;
      }
      return running;
    },
  };
}

export const holdfastNode = holdfast('node');
export const holdfastUws = holdfast('uws');
