/** A program that embeds nodes, as its author would write it, in TypeScript. It prints what happens, and ends by being done. */
export const consumer = `
import { ConfigError, EdgeError, startNode, type NodeOptions, type RunningNode } from 'holdfast';

const edge = process.argv[2] === 'uws' ? 'uws' : 'node';
const options: NodeOptions = {
  edge,
  http_port: '127.0.0.1:0',
  push_in_http_port: 0,
  admin_port: '127.0.0.1:0',
  admin_ui: true,
  shutdown_requests: '2s',
  routes: ['* test'],
};
// @ts-expect-error an option that does not exist
const misspelt: NodeOptions = { htp_port: '127.0.0.1:0' };
// @ts-expect-error a word that the option does not have
const noEdge: NodeOptions = { edge: 'apache' };
const silent = { error() {}, warn() {}, info() {}, debug() {} };

async function refused(wrong: NodeOptions): Promise<void> {
  await startNode(wrong, { log: silent }).then(
    () => { throw new Error('it has started'); },
    (error: unknown) => { if (!(error instanceof ConfigError) || error.problems.length === 0) throw error; },
  );
}

async function main(): Promise<void> {
  const nodes: RunningNode[] = [];
  try {
    for (let i = 0; i < 2; i++) nodes.push(await startNode(options, { log: silent }));
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    console.log(error.name, error.code, error.message);
    return;
  }
  console.log(process.version);
  for (const wrong of [misspelt, noEdge, { workers: 2 }]) await refused(wrong);
  const [first, second] = nodes as [RunningNode, RunningNode];
  const [clients = ''] = first.addresses.clients;
  if (clients === second.addresses.clients[0] || first.addresses.control.length !== 1) throw new Error('addresses');
  if (first.addresses.admin.length !== 1) throw new Error('no address of the admin listener');

  const response = await fetch(clients + '/stream');
  const reader = response.body!.getReader();
  let text = '';
  while (!text.includes('opened')) text += Buffer.from((await reader.read()).value!).toString();
  const { default: WebSocket } = await import('ws' as string);
  const socket = new WebSocket(clients.replace('http', 'ws') + '/ws');
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const message = new Promise((resolve) => socket.once('message', resolve));
  const formats = { 'http-stream': { content: 'hello\\n' }, 'ws-message': { content: 'hello' } };
  const [none] = await second.publish({ channel: 'test', formats });
  if (none?.subscribers !== 0) throw new Error('nodes share subscribers');
  const [receipt] = await first.publish({ channel: 'test', formats });
  if (receipt?.subscribers !== 2) throw new Error('subscribers: ' + receipt?.subscribers);
  while (!text.includes('hello')) text += Buffer.from((await reader.read()).value!).toString();
  console.log('stream hello');
  console.log('websocket ' + (await message));
  for (const file of ['', 'views/try.js', 'uplot.js']) {
    const { status } = await fetch(second.addresses.admin[0] + '/ui/' + file);
    if (status !== 200) throw new Error('the live page: ' + file + ' ' + status);
  }
  const isReady = async () => (await fetch(second.addresses.admin[0] + '/readyz')).status === 200;
  await second.drain();
  if (await isReady()) throw new Error('ready while drained');
  second.resume();
  if (!(await isReady())) throw new Error('not ready again');
  first.reload();
  const wrong = await first.publish({} as never).catch((error: { code: string }) => error.code);
  if (wrong !== 'ERR_GRIP_ITEM') throw new Error(String(wrong));
  await Promise.all([first.stop(), first.stop(), second.stop()]);
  const late = await first.publish({ channel: 'test', formats }).catch((error: { code: string }) => error.code);
  if (late !== 'ERR_CONTROL_STOPPING') throw new Error(String(late));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'uncaughtException'] as const)
    if (process.listenerCount(signal as 'SIGTERM') > 0) throw new Error('listens to ' + signal);
  process.once('exit', () => console.log('ended'));
}
await main();
`;
