/** The command without a name of its own: runs a node, or says what is wrong with its configuration, or prints that. */
import { ControlError, checkZeroMqSpec, parseRedisUrl } from '@holdfast/control-api';
import { type LoadedConfig, loadConfig } from './app/load-config.js';
import { HoldfastNode } from './app/node.js';
import { ProcessGuard } from './app/process-guard.js';
import { checkCertificates } from './app/tls/certificates.js';
import { exposuresOf } from './config/checks/exposure.js';
import { type Config, processesFor } from './config/config.js';
import { CurveClients } from './config/files/curve-clients.js';
import { readKeys } from './config/files/keys-file.js';
import { ConfigError, userText } from './errors.js';
import { version } from './package-files.js';
import { readRoutes } from './routes/routes-source.js';
import { realClock } from './runtime/clock.js';
import { watchLauncher } from './runtime/launcher.js';
import { legible } from './runtime/legible.js';
import { setUpV8 } from './runtime/start-up.js';
import { createLog, type RootLog } from './telemetry/log.js';
import { outputFor } from './telemetry/standard-output.js';

/** One line for each thing that is wrong, on standard error; the exit status is 1. */
function refuse(error: unknown): never {
  process.stderr.write(`${error instanceof ConfigError ? '' : 'holdfast: '}${userText(error)}\n`);
  process.exit(1);
}

function checkConfig(loaded: LoadedConfig): void {
  for (const warning of loaded.warnings) process.stderr.write(`warning: ${warning}\n`);
  const { table, errors, warnings, keyFiles } = readRoutes(loaded.config);
  const certificates = checkCertificates(loaded.config, table.routes);
  const keys = readKeys(loaded.config);
  const problems = [
    ...addressProblems(loaded.config),
    ...certificates.problems,
    ...keys.problems.map(({ message }) => legible(message)),
    ...errors.map(({ message }) => message),
  ];
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  for (const warning of [...warnings, ...certificates.warnings, ...keys.warnings.map(legible)])
    process.stderr.write(`warning: ${warning}\n`);
  if (problems.length > 0) process.exit(1);
  const signing = [...keyFiles.signing, ...keys.files];
  for (const { message, fields } of exposuresOf(loaded.config, { ...keyFiles, signing }))
    process.stderr.write(`warning: ${message} (${JSON.stringify(fields)})\n`);
  process.stdout.write(`ok: ${loaded.source?.file ?? 'no configuration file'}, ${table.routes.length} routes\n`);
}

/** What is wrong with the addresses of Redis and of ZeroMQ sockets, one line for each, with the option: what a start would refuse. */
function addressProblems(config: Config): readonly string[] {
  const specs = [
    ['push_in_spec', config.pushInSpec],
    ...(config.pushInSubSpecs ?? []).map((spec) => ['push_in_sub_specs', spec] as const),
    ['command_spec', config.commandSpec],
    ['stats_spec', config.statsSpec],
  ] as const;
  return [
    ...clientProblems(config),
    ...problemsIn('redis_url', config.redisUrl, parseRedisUrl),
    ...specs.flatMap(([option, spec]) => problemsIn(option, spec, checkZeroMqSpec)),
  ];
}

/** The keys of those who may connect to ZeroMQ sockets. */
function clientProblems({ zmqCurveClientKeysFile: file }: Config): readonly string[] {
  try {
    new CurveClients([], file, () => {});
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

function problemsIn(option: string, text: string | undefined, check: (text: string) => unknown): readonly string[] {
  if (text === undefined) return [];
  try {
    check(text);
    return [];
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return [`${option}: ${error.message}`];
  }
}

async function run(loaded: LoadedConfig): Promise<void> {
  setUpV8();
  // With workers, the primary serves no clients itself.
  const output = processesFor(loaded.config) > 1 ? undefined : await outputFor(loaded.config);
  const log = createLog(loaded.config, undefined, output);
  await log.opened;
  try {
    await serve(loaded, log);
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function serve(loaded: LoadedConfig, log: RootLog): Promise<void> {
  for (const warning of loaded.warnings) log.warn({}, warning);
  const node = new HoldfastNode(loaded.config, log, {}, loaded.show);
  let stopping = false;
  const stop = (why: string, { status = 0, isUrgent = false } = {}) => {
    // A second signal does not wait.
    if (stopping) process.exit(1);
    stopping = true;
    unwatch();
    log.info({}, `${why}: stopping`);
    node.stop({ isUrgent }).then(
      () => leave(log, status),
      () => leave(log, 1),
    );
  };
  const unwatch = watchLauncher(
    process.env,
    () => stop('the npm command that started this process has gone'),
    realClock,
  );
  const guard = new ProcessGuard(process, node.faults, realClock, () => stop('too many faults', { status: 1 }));
  process.on('SIGTERM', () => stop('SIGTERM'));
  // From a terminal: the one who waits there does not want to sit through a delay and a window.
  process.on('SIGINT', () => stop('SIGINT', { isUrgent: true }));
  process.on('SIGHUP', () => node.reload());
  process.on('SIGUSR1', () => log.warn({}, 'SIGUSR1: ignored, no debugger is opened'));
  await node.start();
  guard.started();
  log.announce(`holdfast ${version} started`, { version });
}

async function leave(log: RootLog, status: number): Promise<never> {
  log.info({}, 'stopped');
  await log.close();
  process.exit(status);
}

/** Runs the node with these arguments; `search` are the places of its configuration file in the place of the usual ones. */
export async function nodeMain(argv: readonly string[], search?: readonly string[]): Promise<void> {
  try {
    const loaded = loadConfig({
      argv,
      env: process.env,
      cwd: process.cwd(),
      version,
      isTerminal: process.stdout.isTTY,
      ...(search !== undefined && { search }),
    });
    if ('text' in loaded) process.stdout.write(loaded.text);
    else if (loaded.command === 'check-config') checkConfig(loaded);
    else if (loaded.command === 'print-config') process.stdout.write(loaded.print());
    else await run(loaded);
  } catch (error) {
    refuse(error);
  }
}
