/**
 * TCP ports of 127.0.0.1 whose number must be known beforehand. Ports that the system hands out are no good for that:
 * it may give one that was free a moment ago to anybody, the asking test included.
 */
import { connect, createServer } from 'node:net';

/** Below what systems hand out to outgoing connections, of which a test that runs at the same time may open many. */
const LOWEST = 12_000;
const COUNT = 19_000;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}

/** Whether nobody listens on a port. */
export function isDead(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, '127.0.0.1', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', () => resolve(true));
  });
}

let lastDead = 1;

/** A port on which nobody listens, nor will: one for services of the system. Another each time. */
export async function deadPort(): Promise<number> {
  do lastDead++;
  while (!(await isDead(lastDead)));
  return lastDead;
}
