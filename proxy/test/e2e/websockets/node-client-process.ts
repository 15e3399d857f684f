/**
 * A client that uses the WebSocket of Node itself, in a process of its own, since Node 20 has it behind a flag: `node
 * --experimental-websocket node-client-process.js URL STEPS [PROTOCOL …]`. Prints what happens, a JSON value a line.
 * STEPS is a JSON array: `{"send": text}`, `{"bytes": n}` (binary, of the pattern), `{"messages": n}` (waits until so
 * many have come in all), `{"close": [code?, reason?]}`.
 */
import { hashOf, patternOf } from '../../kit/pattern.js';
import type { Happening, Step } from './node-client.js';

/** The part of the browser's WebSocket that is used here; the types of Node 20 do not have it. */
interface NodeSocket {
  binaryType: string;
  readonly protocol: string;
  readonly extensions: string;
  addEventListener(type: string, listener: (event: never) => void): void;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
}

type NodeSocketClass = new (url: string, protocols: readonly string[]) => NodeSocket;

const print = (happening: Happening) => console.log(JSON.stringify(happening));

interface CloseInfo {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

const [url = '', steps = '[]', ...protocols] = process.argv.slice(2);
const script = JSON.parse(steps) as Step[];
const { WebSocket } = globalThis as unknown as { readonly WebSocket: NodeSocketClass };
const socket = new WebSocket(url, protocols);
socket.binaryType = 'arraybuffer';
let received = 0;

/** Goes on with the script, as far as it does not wait. */
function proceed(): void {
  for (let step = script[0]; step !== undefined; step = script[0]) {
    if ('messages' in step && received < step.messages) return;
    script.shift();
    if ('send' in step) socket.send(step.send);
    else if ('bytes' in step) socket.send(patternOf(step.bytes));
    else if ('close' in step) socket.close(...step.close);
  }
}

socket.addEventListener('open', () => {
  print({ open: { protocol: socket.protocol, extensions: socket.extensions } });
  proceed();
});
socket.addEventListener('message', ({ data }: { readonly data: string | ArrayBuffer }) => {
  received++;
  if (typeof data === 'string') print({ text: data });
  else print({ bytes: data.byteLength, hash: hashOf(new Uint8Array(data)) });
  proceed();
});
socket.addEventListener('close', ({ code, reason, wasClean }: CloseInfo) =>
  print({ closed: { code, reason, wasClean } }),
);
