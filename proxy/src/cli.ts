/** The `holdfast` command: from arguments and environment to a running node, and what signals mean to it. */

/** By the first argument. Each loads what it needs and nothing else: an item is published in half the time that loading a node takes. */
const commands: Readonly<Record<string, (argv: readonly string[]) => Promise<void>>> = {
  publish: async (argv) => (await import('./commands/publish.js')).publishMain('holdfast publish', argv),
  tap: async (argv) => (await import('./commands/tap.js')).tapMain(argv),
  token: async (argv) => (await import('./commands/token.js')).tokenMain(argv),
  load: async (argv) => (await import('./commands/load.js')).loadMain(argv),
};

/** Runs the command with the process's arguments; called by bin/holdfast.js, and by bin/pushpin.js with its own `search`. */
export async function main({ search }: { readonly search?: readonly string[] } = {}): Promise<void> {
  const [name = '', ...rest] = process.argv.slice(2);
  if (Object.hasOwn(commands, name)) return commands[name]?.(rest);
  const { nodeMain } = await import('./node-command.js');
  await nodeMain(process.argv.slice(2), search);
}
