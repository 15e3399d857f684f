// npm run demo: an application behind Holdfast on this machine, and the commands to try it with; stays
// until Ctrl-C. With `-- --free-ports` it takes free ports. With `-- --smoke` it does so too, runs these
// commands by itself, prints what came back and exits 0 or 1. With `-- hundred-thousand` it has 100,000
// clients. Needs nothing but Node and npm.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commandLine, demoCommands, runInShell, runWithNode } from './demo-commands.mjs';
import { crowdOf, crowdOptions, startCrowd } from './demo-crowd.mjs';
import { freePort, startHoldfast, startOrigin, stopServers } from './demo-servers.mjs';
import { build, installPackages, root } from './setup.mjs';

const DEMO_PORTS = { client: 7999, control: 5561, admin: 5580 };
/** For one answer to come back in the smoke run; all of them take milliseconds. */
const ANSWER_LIMIT_MS = 15_000;
/** Is another one when npm has gone while packages were installed or built. */
const startedBy = process.ppid;

/**
 * @param {{ client: number, control: number, admin: number }} ports
 * @param {ReturnType<typeof demoCommands>} commands
 */
function explain(ports, commands) {
  const { stream, events, poll, socket, publish, originPublish } = commands;
  const show = (/** @type {import('./demo-commands.mjs').DemoCommand} */ command) =>
    `  # ${command.why}\n  ${commandLine(command)}\n`;
  console.log(`
Holdfast is in front of the example application (examples/express-origin/server.mjs).

In a browser, open one of each kind and publish to them: http://127.0.0.1:${ports.admin}/ui/#/try

The same by hand. Hold a request open, in one terminal or in several:

${[stream, events, poll, socket].map(show).join('\n')}
Publish into the held requests, from another terminal:

${[publish, originPublish].map(show).join('\n')}
Counts, channels and connections: http://127.0.0.1:${ports.admin}/ui/
Health and metrics: http://127.0.0.1:${ports.admin}/readyz and http://127.0.0.1:${ports.admin}/metrics
Warnings and errors of Holdfast and of the application are shown here. Ctrl-C ends it all.
`);
}

/**
 * Repeats a step until it says true, for at most ANSWER_LIMIT_MS.
 *
 * @param {string} what  for the error
 * @param {() => boolean | Promise<boolean>} step
 */
async function until(what, step) {
  const deadline = Date.now() + ANSWER_LIMIT_MS;
  while (!(await step())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ANSWER_LIMIT_MS / 1000} s`);
    await delay(20);
  }
}

/**
 * Runs the printed commands and checks what they bring back.
 *
 * @param {ReturnType<typeof demoCommands>} commands
 * @param {typeof runInShell} run
 * @param {Map<string, import('./demo-commands.mjs').RunningCommand>} ran  gets each command line with its run, for the report
 */
async function drive(commands, run, ran) {
  const start = (/** @type {import('./demo-commands.mjs').DemoCommand} */ command) => {
    const running = run(command);
    ran.set(commandLine(command), running);
    return running;
  };
  const publish = async (/** @type {import('./demo-commands.mjs').DemoCommand} */ command) => {
    const publishing = start(command);
    await publishing.ended;
    if (publishing.output() !== 'Published\n') throw new Error(`${command.url} answered: ${publishing.output()}`);
  };

  const stream = start(commands.stream);
  const events = start(commands.events);
  const socket = start(commands.socket);
  await until('the stream opens', () => stream.output().startsWith('[stream opened]\n'));
  await until('the event stream opens', () => events.output().startsWith('event: stream-open\n'));

  // Nothing shows from outside that a long poll is held, so the publish is repeated until it is answered.
  const poll = start(commands.poll);
  await until('the long poll is answered', async () => {
    await publish(commands.publish);
    return Promise.race([poll.ended.then(() => true), delay(200, false)]);
  });
  if (poll.output() !== 'hello\n') throw new Error(`the long poll answered: ${poll.output()}`);
  await until('the stream shows the item', () => stream.output().includes('\ndata: hello\n\n'));
  // Nor does it of a WebSocket, whose program says nothing when it opens.
  await until('the WebSocket gets an item', async () => {
    if (socket.output().startsWith('hello\n')) return true;
    await publish(commands.publish);
    return false;
  });

  await publish(commands.originPublish);
  await until('the stream shows the item', () => stream.output().includes('\ndata: hello from the application\n\n'));
  await until('the event stream shows it', () => events.output().includes('\ndata: hello from the application\n\n'));
  await until('the WebSocket shows it', () => socket.output().endsWith('\nhello from the application\n'));
}

/** What the live page needs: itself, and leave to read what clients get. @param {{ client: number, admin: number }} ports */
async function checkPage(ports) {
  const page = `http://127.0.0.1:${ports.admin}`;
  const { status } = await fetch(`${page}/ui/`);
  if (status !== 200) throw new Error(`the live page answered ${status}`);
  const { headers } = await fetch(`http://127.0.0.1:${ports.client}/`, { headers: { origin: page } });
  const allowed = headers.get('access-control-allow-origin');
  if (allowed !== page) throw new Error(`the live page may not read answers: ${allowed}`);
}

/** @param {ReturnType<typeof demoCommands>} commands */
async function smoke(commands) {
  const hasCurl = spawnSync('curl', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!hasCurl) console.log('No curl here: Node makes the same requests by itself.\n');
  const ran = new Map();
  try {
    await drive(commands, hasCurl ? runInShell : runWithNode, ran);
  } finally {
    for (const [line, running] of ran) {
      running.stop();
      console.log(`$ ${line}\n${running.output()}`);
    }
  }
  console.log('The demo works.');
}

/** Whether this version has an option. @param {string} key */
async function isOption(key) {
  const { optionByKey } = await import(path.join(root, 'proxy/dist/config/table.js'));
  return optionByKey(key) !== undefined;
}

/** The word that asks for many clients. */
const HUNDRED_THOUSAND = 'hundred-thousand';

/**
 * @param {{ client: number, control: number, admin: number }} ports
 * @param {import('./demo-crowd.mjs').Crowd} crowd
 */
async function showCrowd(ports, crowd) {
  const origin = await startOrigin(ports.control, quit);
  const hasPage = await isOption('admin_ui');
  await startHoldfast(ports, origin, quit, [...(await crowdOptions(crowd)), ...(hasPage ? ['--admin-ui'] : [])]);
  console.log(`
${crowd.clients.toLocaleString('en-US')} event streams come to http://127.0.0.1:${ports.client}/events, ${crowd.ramp} a second, and get an item ${crowd.rate}.
Counts of Holdfast: http://127.0.0.1:${ports.admin}/${hasPage ? 'ui/' : 'metrics'}
Be one of them: curl -N http://127.0.0.1:${ports.client}/events
Ctrl-C ends it, with a report.
`);
  const running = startCrowd(ports, crowd);
  stopCrowd = running.stop;
  process.exitCode = await running.done;
  await stopServers();
}

/** @type {(() => void) | undefined} */
let stopCrowd;

async function main() {
  const [, , word, ...argv] = process.argv;
  const isSmoke = process.argv.includes('--smoke');
  const crowd = word === HUNDRED_THOUSAND ? crowdOf(argv, isSmoke) : undefined;
  installPackages();
  build();
  if (process.ppid !== startedBy) return;
  if (process.env.npm_lifecycle_event === 'demo') await import('./end-with-parent.mjs');
  const ownPorts = isSmoke || process.argv.includes('--free-ports');
  const ports = ownPorts
    ? { client: await freePort(), control: await freePort(), admin: await freePort() }
    : DEMO_PORTS;
  if (crowd !== undefined) return showCrowd(ports, crowd);
  const origin = await startOrigin(ports.control, quit);
  await startHoldfast(ports, origin, quit);
  const commands = demoCommands(`http://127.0.0.1:${ports.client}`, `http://127.0.0.1:${ports.control}`);
  if (!isSmoke) return explain(ports, commands);
  await checkPage(ports);
  await smoke(commands);
  await stopServers();
}

/** Ends the demo because something went wrong. @param {unknown} reason */
async function quit(reason) {
  process.exitCode = 1;
  console.error(`The demo failed: ${reason instanceof Error ? reason.message : reason}`);
  stopCrowd?.();
  await stopServers();
}

/** Ends it as it was meant to end. */
function end() {
  return stopCrowd === undefined ? stopServers() : stopCrowd();
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.once(signal, end);

main().catch(quit);
