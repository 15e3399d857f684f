/**
 * The command lines of `holdfast`: flags derived from the option table, Pushpin's own flags, subcommands, and
 * `holdfast publish`, `holdfast tap`, `holdfast token` and `holdfast load` with tables of their own. The only importer of commander.
 */
import { makeCurveKeyPair } from '@holdfast/control-api';
import { Command, CommanderError, Option as Flag } from 'commander';
import { ConfigError } from '../errors.js';
import {
  type CommandFlag,
  type LoadFlags,
  loadFlags,
  type PublishFlags,
  publishFlags,
  type TapFlags,
  type TokenFlags,
  tapFlags,
  tokenFlags,
} from './command-flags.js';
import { docOf, flagName, type Option } from './option.js';
import { expectation } from './parse-option.js';
import type { GivenOption, GivenOptions } from './sources.js';
import { optionByKey, options } from './table.js';

/** Text to be printed to standard output. */
interface CommandLineText {
  readonly command: 'help' | 'version' | 'curve-keys';
  readonly text: string;
}

/** What the command line asks for. */
export type CommandLine =
  | CommandLineText
  | {
      readonly command: 'run' | 'check-config' | 'print-config';
      /** As given with `--config`. */
      readonly config: string | undefined;
      readonly flags: GivenOptions;
    };

/** What the command line of `publish` asks for. */
export type PublishLine =
  | { readonly text: string }
  | { readonly channel: string; readonly content: string | undefined; readonly flags: PublishFlags };

/** What the command line of `tap` asks for. */
export type TapLine = { readonly text: string } | { readonly channel: string; readonly flags: TapFlags };

/** What the command line of `token` asks for. */
export type TokenLine = { readonly text: string } | { readonly flags: TokenFlags };

/** What the command line of `load` asks for. */
export type LoadLine = { readonly text: string } | { readonly url: string | undefined; readonly flags: LoadFlags };

const general = 'General:';

const subcommands = [
  { name: 'check-config', doc: 'check the configuration and the routes, and exit' },
  { name: 'print-config', doc: 'print the effective configuration as YAML, without secrets, and exit' },
] as const;

/** Not a matter of a configuration. */
const curveKeys = { name: 'curve-keys', doc: 'print a new pair of keys for ZeroMQ with CURVE, and exit' } as const;

const metavars: Readonly<Record<Option['type'], string>> = {
  bool: '[true|false]',
  int: '<n>',
  limit: '<n>',
  string: '<text>',
  secret: '<key>',
  path: '<path>',
  enum: '<word>',
  duration: '<time>',
  size: '<bytes>',
  list: '<list>',
  percent: '<percent>',
  lines: '<line>',
  addresses: '<addresses>',
  ports: '<[addr:]port>',
  sockets: '<path>',
  'log-fields': '<list>',
  'log-redact': '<list>',
  'log-levels': '<level>',
  'forwarded-for': '<rule>',
  workers: '<n|auto>',
  mode: '<octal>',
};

type Put = (key: string, raw: unknown, name: string) => void;

function description(option: Option): string {
  const choices = option.type === 'enum' ? [expectation(option)] : [];
  const preset = option.default === undefined || option.default === '' ? [] : [`default ${option.default}`];
  const notes = [...choices, ...(option.unit === undefined ? [] : [option.unit]), ...preset].join('; ');
  return docOf(option).replaceAll('`', '') + (notes === '' ? '' : ` (${notes})`);
}

/** The flag of an option and one hidden flag for each further name; `-x` is joined to the long name. */
function flagsOf(option: Option, put: Put): Flag[] {
  const long = flagName(option);
  const short = option.flags?.find((name) => /^-\w$/.test(name));
  const others = (option.flags ?? []).filter((name) => name !== short);
  const make = (names: string, name: string) => {
    const flag = new Flag(`${names} ${metavars[option.type]}`, description(option));
    flag.argParser((raw) => put(option.key, raw, name));
    return flag;
  };
  const main = make(short === undefined ? long : `${short}, ${long}`, long).helpGroup(`${option.group}:`);
  if (option.hidden === true) main.hideHelp();
  // A shorter name (--port) is shown where people look first; a mere respelling (--loglevel) is not shown.
  const further = others.map((name) => {
    const flag = make(name, name).helpGroup(general);
    if (name.replaceAll('-', '') === long.replaceAll('-', '')) flag.hideHelp();
    return flag;
  });
  return [main, ...further];
}

/** Pushpin's flags that are not options of their own: `--verbose` and `--id N`. */
function shorthands(put: Put): Flag[] {
  const verbose = new Flag('--verbose', 'log everything: the same as --log-level debug').preset('debug');
  verbose.argParser((raw) => put('log_level', raw, '--verbose'));
  const id = new Flag('--id <n>', 'number of this instance; every port is moved up by n times 10');
  id.argParser((raw: string) => {
    if (!/^\d{1,4}$/.test(raw)) throw usageError(`--id: expected a whole number, got ${JSON.stringify(raw)}`);
    put('port_offset', String(Number(raw) * 10), '--id');
    put('ipc_prefix', `${raw}-`, '--id');
  });
  return [verbose.helpGroup(general), id.helpGroup(general)];
}

function usageError(reason: string, cause?: unknown): ConfigError {
  return new ConfigError([{ code: 'ERR_CONFIG_FLAG', message: reason }], { cause });
}

/**
 * Gives `--debug` without a value the value `true` before commander sees it, which would take any next word as the value,
 * be it the name of a command.
 */
function completeBools(argv: readonly string[]): string[] {
  const bools = options.filter(({ type }) => type === 'bool');
  const names = new Set(bools.flatMap((option) => [flagName(option), ...(option.flags ?? [])]));
  return argv.flatMap((arg, index) =>
    names.has(arg) && !/^(true|false|0|1)$/i.test(argv[index + 1] ?? '') ? [arg, 'true'] : [arg],
  );
}

/** What the parser fills in as it goes. */
interface Reading {
  command: 'run' | 'check-config' | 'print-config';
  config: string | undefined;
  readonly flags: Map<string, GivenOption>;
  /** What commander prints for `--help` and `--version`. */
  output: string;
}

/** Puts a flag's value into the reading; the last one counts, except that routes lines add up. */
function putInto({ flags }: Reading, baseDir: string): Put {
  return (key, raw, name) => {
    const option = optionByKey(key) as Option;
    const before = flags.get(key)?.raw;
    const value = option.type === 'lines' ? [...(Array.isArray(before) ? before : []), raw] : raw;
    flags.set(key, { option, raw: value, where: { source: 'flag', name, baseDir } });
  };
}

function buildProgram(reading: Reading, put: Put, version: string): Command {
  const program = new Command('holdfast')
    .description('A GRIP push proxy: forwards requests to origins and holds connections open for published items.')
    .usage('[options] [command]')
    .allowExcessArguments(false)
    .optionsGroup(general)
    .helpOption('-h, --help', 'show this text')
    .version(`holdfast ${version}`, '-v, --version', 'show the version')
    .option('--config <file>', 'a Holdfast YAML file or a pushpin.conf', (file) => {
      reading.config = file;
    })
    // Without commander's own notes: the descriptions have what is to be said.
    .configureHelp({ optionDescription: (flag) => flag.description })
    .addHelpText('after', '\nEvery option can also be set in the file, or as HOLDFAST_<OPTION> in the environment.');
  const listed = options.map((option) => flagsOf(option, put));
  for (const flag of listed.flatMap(([, ...further]) => further)) program.addOption(flag);
  for (const flag of shorthands(put)) program.addOption(flag);
  for (const [main] of listed) if (main !== undefined) program.addOption(main);
  return catchOutput(program, reading).action(() => {});
}

/** Has commander throw instead of exiting, and keep what it prints. */
function catchOutput(command: Command, kept: { output: string }): Command {
  return command.exitOverride().configureOutput({
    writeOut: (text) => {
      kept.output += text;
    },
    writeErr: () => {},
  });
}

/** The text for `--help` and `--version`; undefined when the command is to be carried out. */
function parseWith(command: Command, argv: readonly string[], kept: { output: string }): CommandLineText | undefined {
  try {
    command.parse(argv, { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.version') return { command: 'version', text: kept.output };
    if (error.exitCode === 0) return { command: 'help', text: kept.output };
    if (error.code === 'commander.excessArguments' && command.commands.length > 0)
      throw usageError(`unknown command '${command.args[0]}'`, error);
    throw usageError(error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' '), error);
  }
}

/**
 * Reads the arguments after the program's name. A flag given twice counts the last time, except `--route`, which adds
 * up. Relative paths in flags are relative to `cwd`.
 * @throws ConfigError ERR_CONFIG_FLAG, with one line, for unknown flags and commands and missing values
 */
export function parseCommandLine(argv: readonly string[], context: { cwd: string; version: string }): CommandLine {
  const reading: Reading = { command: 'run', config: undefined, flags: new Map(), output: '' };
  const program = buildProgram(reading, putInto(reading, context.cwd), context.version);
  for (const { name, doc } of subcommands)
    program
      .command(name)
      .description(doc)
      .action(() => {
        reading.command = name;
      });
  let made: CommandLineText | undefined;
  program
    .command(curveKeys.name)
    .description(curveKeys.doc)
    .action(() => {
      const { publicKey, secretKey } = makeCurveKeyPair();
      made = { command: 'curve-keys', text: `public: '${publicKey}'\nsecret: '${secretKey}'\n` };
    });
  // Only shown: who calls one comes to parsePublishLine and its like, as its flags are not those of a node.
  const { version } = context;
  for (const [name, build] of otherCommands) {
    const other = build(name, version);
    other.action(() => {
      throw usageError(`${other.name()} takes no options of a node: write it first`);
    });
    program.addCommand(catchOutput(other, reading).allowExcessArguments().allowUnknownOption());
  }
  const text = parseWith(program, completeBools(argv), reading);
  if (text !== undefined) return text;
  if (made !== undefined) return made;
  const { command, config, flags } = reading;
  return { command, config, flags };
}

/** Commands that are no matter of a node, as its help lists them. */
const otherCommands: readonly (readonly [name: string, build: (name: string, version: string) => Command])[] = [
  ['publish', buildPublish],
  ['tap', buildTap],
  ['token', buildToken],
  ['load', buildLoad],
];

/** An argument that adds up when its flag is given again. */
function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function commandFlag({ flags, doc, many, preset }: CommandFlag): Flag {
  const flag = new Flag(flags, doc);
  if (preset !== undefined) flag.default(preset, preset);
  return many === true ? flag.argParser(collect) : flag;
}

function buildPublish(name: string, version: string): Command {
  const command = new Command(name)
    .description('publish an item')
    .usage('[options] <channel> [content]')
    .argument('<channel>', 'channel to publish to')
    .argument('[content]', 'body, stream content and message; @file for the content of a file, @- for standard input')
    .helpOption('-h, --help', 'show this text')
    .version(`holdfast ${version}`, '-V, --version', 'show the version')
    .allowExcessArguments(false);
  for (const option of publishFlags) command.addOption(commandFlag(option));
  return command;
}

/**
 * Reads the arguments after `publish`. `name` is what `--help` calls the command.
 * @throws ConfigError ERR_CONFIG_FLAG, with one line, for unknown flags, missing values and a wrong number of arguments
 */
export function parsePublishLine(argv: readonly string[], context: { name: string; version: string }): PublishLine {
  const kept = { output: '' };
  const command = catchOutput(buildPublish(context.name, context.version), kept).action(() => {});
  const text = parseWith(command, argv, kept);
  if (text !== undefined) return text;
  const [channel, content] = command.args as [string, string | undefined];
  return { channel, content, flags: command.opts() };
}

function buildTap(name: string, version: string): Command {
  const command = new Command(name)
    .description('print the items of a channel as they pass, until interrupted')
    .usage('[options] <channel>')
    .argument('<channel>', 'full name of the channel, with the prefix of its route')
    .helpOption('-h, --help', 'show this text')
    .version(`holdfast ${version}`, '-V, --version', 'show the version')
    .allowExcessArguments(false);
  for (const option of tapFlags) command.addOption(commandFlag(option));
  return command.addHelpText('after', tapNotes);
}

const tapNotes = `
One line of JSON for each item that any node takes: the item as it was published, where it stands
(offset, epoch; where items are counted), and the time. {"gap": ...}: items were lost on the way here.`;

/**
 * Reads the arguments after `tap`.
 * @throws ConfigError ERR_CONFIG_FLAG, with one line, for unknown flags, missing values and a wrong number of arguments
 */
export function parseTapLine(argv: readonly string[], version: string): TapLine {
  const kept = { output: '' };
  const command = catchOutput(buildTap('holdfast tap', version), kept).action(() => {});
  const text = parseWith(command, argv, kept);
  if (text !== undefined) return text;
  return { channel: command.args[0] as string, flags: command.opts() };
}

function buildToken(name: string, version: string): Command {
  const command = new Command(name)
    .description('make a token for the control API from a key')
    .usage('[options]')
    .helpOption('-h, --help', 'show this text')
    .version(`holdfast ${version}`, '-V, --version', 'show the version')
    .allowExcessArguments(false);
  for (const option of tokenFlags) command.addOption(commandFlag(option));
  return command;
}

/**
 * Reads the arguments after `token`.
 * @throws ConfigError ERR_CONFIG_FLAG, with one line, for unknown flags, missing values and arguments
 */
export function parseTokenLine(argv: readonly string[], version: string): TokenLine {
  const kept = { output: '' };
  const command = catchOutput(buildToken('holdfast token', version), kept).action(() => {});
  const text = parseWith(command, argv, kept);
  return text ?? { flags: command.opts() };
}

function buildLoad(name: string, version: string): Command {
  const command = new Command(name)
    .description('put load on a deployment of your own, and report what its clients received')
    .usage('[options] <url>')
    .argument('[url]', 'where the clients go')
    .helpOption('-h, --help', 'show this text')
    .version(`holdfast ${version}`, '-V, --version', 'show the version')
    .allowExcessArguments(false);
  for (const option of loadFlags) command.addOption(commandFlag(option));
  return command;
}

/**
 * Reads the arguments after `load`.
 * @throws ConfigError ERR_CONFIG_FLAG, with one line, for unknown flags, missing values and arguments too many
 */
export function parseLoadLine(argv: readonly string[], version: string): LoadLine {
  const kept = { output: '' };
  const command = catchOutput(buildLoad('holdfast load', version), kept).action(() => {});
  const text = parseWith(command, argv, kept);
  return text ?? { url: command.args[0], flags: command.opts() };
}
