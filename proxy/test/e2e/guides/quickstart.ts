/** The code of a quick start, as its page has it, behind a real Holdfast: what the page promises a reader must come true. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Program, root, startChild } from '../../kit/child.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
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

/** The files of a page: each block of code whose first lines have a name in a comment. */
function filesOf(page: string): Map<string, string> {
  const text = readFileSync(join(root, 'docs', `quickstart-${page}.md`), 'utf8');
  const files = new Map<string, string>();
  for (const [, code = ''] of text.matchAll(/^```\w+\n(.*?)^```$/gms)) {
    const name = /^(?:<\?php\n)?(?:\/\/|#) ([\w.-]+\.\w+)\n/.exec(code)?.[1];
    if (name !== undefined) files.set(name, code);
  }
  return files;
}

/** Writes the files, starts the application and Holdfast, and does what the page does with curl. */
export async function follow(t: Test, { page, port: written, files = {}, build, start }: Quickstart): Promise<void> {
  // Below the packages of the repository, so that those of npm are found.
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, `quickstart-${page}-`));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const pageFiles = filesOf(page);
  t.ok(pageFiles.size > 0, 'the page has code');
  for (const [name, code] of [...pageFiles, ...Object.entries(files)]) {
    writeFileSync(join(directory, name), code.replaceAll(`127.0.0.1:${written}`, `127.0.0.1:${port}`));
  }
  if (build !== undefined) {
    const [command, ...args] = build;
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: directory, encoding: 'utf8' });
    t.equal(status, 0, `${stdout}${stderr}`);
  }
  const holdfast = await startHoldfast(t, { routes: [`* 127.0.0.1:${port}`] });
  const env = { HOLDFAST: holdfast.control, PORT: `${port}`, PYTHONDONTWRITEBYTECODE: '1' };
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
  const headers = { 'content-type': 'application/json' };
  const added = await ask(t, `${clients}/messages`, { method: 'POST', headers, body: '{"text":"hello"}' });
  t.equal(added.status, 201, added.text);
  t.strictSame(JSON.parse(added.text), { text: 'hello' });
  await events.until(/data: .*\n\n/);
  t.strictSame(JSON.parse(/data: (.*)\n\n/.exec(events.text)?.[1] ?? ''), { text: 'hello' });
  events.drop();
}
