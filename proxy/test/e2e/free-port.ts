/** Owns: TCP ports for listeners whose number must be known beforehand. */
import { createServer } from 'node:net';

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

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}
