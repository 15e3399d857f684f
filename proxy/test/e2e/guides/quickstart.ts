/** The code of a quick start, as its page has it, behind a real Holdfast: what the page promises a reader must come true. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Program, root, startChild } from '../../kit/child.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

/** How the application of a page is started. */
export interface Quickstart {
  /** The name of the page: `docs/quickstart-<page>.md`. */
  readonly page: string;
  /** The port in its code, which is replaced by a free one. */
  readonly port: number;
  /** Beside the files of the page. */
  readonly files?: Readonly<Record<string, string>>;
  /** Is run to its end before; its output is shown where it fails. */
  readonly build?: readonly [command: string, ...args: string[]];
  readonly start: (port: number) => Pick<Program, 'command' | 'args'>;
}

/**
 * The files of a page: each block of code whose first lines have a name in a comment. One with `NAME, above TEXT` goes into that file,
 * before the line that begins with the text.
 */
function filesOf(text: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const [, code = ''] of text.matchAll(/^```\w+\n(.*?)^```$/gms)) {
    const [, name, above] = /^(?:<\?php\n)?(?:\/\/|#) ([\w.-]+\.\w+)(?:, above (.+))?\n/.exec(code) ?? [];
    if (name === undefined) continue;
    files.set(
      name,
      above === undefined ? code : (files.get(name) ?? '').replace(`\n${above}`, () => `\n${code}${above}`),
    );
  }
  return files;
}

/** The routes in the commands of a page, each once. */
function routesOf(text: string): string[] {
  return [...new Set([...text.matchAll(/--route '([^']+)'/g)].map(([, route = '']) => route))];
}

/** What a page is followed with, for what it promises beyond the common part. */
export interface Followed {
  /** Where clients are served. */
  readonly clients: string;
  readonly holdfast: Holdfast;
  /** Adds a message as the page does, and checks the answer. */
  readonly add: (text: string) => Promise<void>;
}

/**
 * Writes the files, starts the application and Holdfast, and does what the page does with curl, then `more`. At last Holdfast
 * goes away, and the application must go on.
 */
export async function follow(
  t: Test,
  { page, port: written, files = {}, build, start }: Quickstart,
  more: (followed: Followed) => Promise<void> = async () => {},
): Promise<void> {
  // Below the packages of the repository, so that those of npm are found.
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, `quickstart-${page}-`));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const text = readFileSync(join(root, 'docs', `quickstart-${page}.md`), 'utf8');
  const here = (code: string) => code.replaceAll(`127.0.0.1:${written}`, `127.0.0.1:${port}`);
  const pageFiles = filesOf(text);
  t.ok(pageFiles.size > 0, 'the page has code');
  for (const [name, code] of [...pageFiles, ...Object.entries(files)]) {
    writeFileSync(join(directory, name), here(code));
  }
  if (build !== undefined) {
    const [command, ...args] = build;
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: directory, encoding: 'utf8' });
    t.equal(status, 0, `${stdout}${stderr}`);
  }
  const holdfast = await startHoldfast(t, { routes: routesOf(text).map(here) });
  const env = { GRIP_URL: `${holdfast.control}/`, PORT: `${port}`, PYTHONDONTWRITEBYTECODE: '1' };
  const child = startChild(t, { ...start(port), cwd: directory, env });
  const { clients } = holdfast;
  await until('the application answers', async () => {
    if (!child.running) throw new Error(`${child.stdout}${child.stderr}`);
    return (await ask(t, `${clients}/nothing`)).status !== 502;
  });

  const events = await open(t, `${clients}/messages/events`);
  t.equal(events.headers['content-type']?.split(';')[0], 'text/event-stream');
  t.notOk('grip-hold' in events.headers, 'clients never see the instructions');
  await events.until(': open\n\n');
  await holdfast.holds('stream', 1);
  const add = async (text: string, base = clients) => {
    const headers = { 'content-type': 'application/json' };
    const added = await ask(t, `${base}/messages`, { method: 'POST', headers, body: JSON.stringify({ text }) });
    t.equal(added.status, 201, added.text);
    t.strictSame(JSON.parse(added.text), { text });
  };
  await add('hello');
  await events.until(/data: .*\n\n/);
  t.strictSame(JSON.parse(/data: (.*)\n\n/.exec(events.text)?.[1] ?? ''), { text: 'hello' });
  events.drop();
  await more({ clients, holdfast, add });
  await holdfast.child.stop();
  await add('nobody is told', `http://127.0.0.1:${port}`);
  await until('the application says so', () => /not published/.test(child.stdout + child.stderr));
}
