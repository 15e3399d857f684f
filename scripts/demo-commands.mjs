// The commands that the demo shows and that `--smoke` runs: one description each, as the line a reader
// types, with curl or node, and as the fetch that stands in where there is no curl.
import { spawn } from 'node:child_process';
import { root } from './setup.mjs';

/**
 * @typedef {object} DemoCommand
 * @property {string} why  one line for the reader
 * @property {string} url  ws: for a WebSocket
 * @property {string} [body]  makes it a POST
 * @property {boolean} [streams]  the answer stays open
 */

/**
 * @param {string} client  base URL of Holdfast's client port, without a trailing slash
 * @param {string} control  the same of its control port
 */
export function demoCommands(client, control) {
  const item = {
    channel: 'test',
    formats: {
      'http-stream': { content: 'data: hello\n\n' },
      'http-response': { body: 'hello\n' },
      'ws-message': { content: 'hello' },
    },
  };
  return {
    /** @type {DemoCommand} */
    stream: {
      why: 'A stream: stays open and shows every item published on "test".',
      url: `${client}/stream`,
      streams: true,
    },
    /** @type {DemoCommand} */
    events: { why: 'The same for an EventSource: server-sent events.', url: `${client}/events`, streams: true },
    /** @type {DemoCommand} */
    poll: { why: 'A long poll: the next item is the answer, or "nothing new" after 20 s.', url: `${client}/poll` },
    /** @type {DemoCommand} */
    socket: {
      why: 'A WebSocket, to the application as POST requests (in the folder of Holdfast, for the package ws).',
      url: `${client.replace(/^http/, 'ws')}/socket`,
      streams: true,
    },
    /** @type {DemoCommand} */
    publish: {
      why: 'A publish, straight to the control API: one item, in a format for each kind of client.',
      url: `${control}/publish/`,
      body: JSON.stringify({ items: [item] }),
    },
    /** @type {DemoCommand} */
    originPublish: {
      why: 'A publish by the application, through its GRIP library: reaches all four.',
      url: `${client}/publish`,
      body: 'hello from the application',
    },
  };
}

/** What node runs to be a WebSocket. @param {string} url */
const socketScript = (url) => `new (require('ws'))('${url}').on('message', (data) => console.log(String(data)))`;

/** @param {string} url */
const isSocket = (url) => url.startsWith('ws:');

/** The line a reader types into a POSIX shell. @param {DemoCommand} command */
export function commandLine({ url, body, streams }) {
  if (isSocket(url)) return `node -e "${socketScript(url)}"`;
  if (body === undefined) return `curl -s${streams ? 'N' : ''} ${url}`;
  return `curl -s -d '${body.replaceAll("'", "'\\''")}' ${url}`;
}

/**
 * A command under way.
 * @typedef {object} RunningCommand
 * @property {() => string} output  what came back so far
 * @property {Promise<void>} ended  settles when the answer is complete or was cut by stop(); rejects when it failed
 * @property {() => void} stop  drops the connection
 */

/** Runs the very line of commandLine() in a shell. @param {DemoCommand} command @returns {RunningCommand} */
export function runInShell(command) {
  // `exec` makes the shell become the program, so that stop() ends that itself.
  return runProgram('sh', ['-c', `exec ${commandLine(command)}`]);
}

/** @param {string} program @param {string[]} args @returns {RunningCommand} */
function runProgram(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  let stopped = false;
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 || stopped ? resolve() : reject(new Error(`${args.at(-1)}: exit code ${code}`)),
    );
  });
  ended.catch(() => {});
  const stop = () => {
    stopped = true;
    child.kill();
  };
  return { output: () => output, ended, stop };
}

/** The same request by Node alone. @param {DemoCommand} command @returns {RunningCommand} */
export function runWithNode({ url, body }) {
  if (isSocket(url)) return runProgram(process.execPath, ['-e', socketScript(url)]);
  const abort = new AbortController();
  let output = '';
  const read = async () => {
    const response = await fetch(url, {
      signal: abort.signal,
      ...(body === undefined
        ? {}
        : { method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) output += decoder.decode(chunk, { stream: true });
  };
  const ended = read().catch((error) => {
    if (!abort.signal.aborted) throw error;
  });
  ended.catch(() => {});
  return { output: () => output, ended, stop: () => abort.abort() };
}
