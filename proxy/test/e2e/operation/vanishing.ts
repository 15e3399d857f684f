/**
 * A program for a network of its own (`unshare -n`): a node, three clients that it holds, and the moment from which
 * nothing reaches anybody. Prints how many holds there were, and after how many ms the last has ended.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';

const LIMIT_MS = 90_000;
const [edge = 'node'] = process.argv.slice(2);
const command = join(import.meta.dirname, '../../../bin/holdfast.js');
const link = (state: string) => execFileSync('ip', ['link', 'set', 'lo', state]);

link('up');
const origin = createServer((request, response) => {
  const hold = request.url === '/poll' ? 'response; timeout=300' : 'stream';
  response.writeHead(200, { 'Grip-Hold': hold.split(';')[0], 'Grip-Timeout': '300', 'Grip-Channel': 'room' });
  response.end('opened\n');
});
await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
const target = `127.0.0.1:${(origin.address() as AddressInfo).port}`;
const args = ['--edge', edge, '--http-port', '127.0.0.1:0', '--control-port', '-1'];
const node = spawn(process.execPath, [command, ...args, '--route', '*,proto=ws test', '--route', `* ${target}`], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
process.once('exit', () => node.kill('SIGKILL'));

let log = '';
node.stdout.setEncoding('utf8').on('data', (text: string) => {
  log += text;
});
const seen = async (pattern: RegExp, count = 1) => {
  const until = performance.now() + LIMIT_MS;
  while ([...log.matchAll(pattern)].length < count) {
    if (performance.now() > until) throw new Error(`not ${count} times ${pattern}\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

await seen(/ started(?:"\})?\n/g);
const port = Number(/http:\/\/127\.0\.0\.1:(\d+) \(clients\)/.exec(log)?.[1]);
const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
for (const [path, ...fields] of [
  ['/stream'],
  ['/poll'],
  ['/ws', ...upgrade, `Sec-WebSocket-Key: ${btoa('0123456789abcdef')}`],
]) {
  const client = connect(port, '127.0.0.1');
  client.on('error', () => {}).resume();
  client.write(`${[`GET ${path} HTTP/1.1`, 'Host: a', ...fields].join('\r\n')}\r\n\r\n`);
}
// The lines of requests that were held, and of the handshake.
await seen(/"msg":"GET (http|ws):[^"]*( accept|code=101)/g, 3);
process.stdout.write('3\n');
const since = performance.now();
link('down');
await seen(/end=client-gone/g, 3);
process.stdout.write(`${Math.round(performance.now() - since)}\n`);
process.exit();
