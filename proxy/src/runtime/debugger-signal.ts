/**
 * Keeps SIGUSR1 from opening a debugger. Imports nothing, so that an entry of the command can run it before it loads anything else.
 */

/**
 * Node answers SIGUSR1 with a debugger on port 9229, which runs any code for every process that reaches the port. A listener takes that
 * answer's place, on every version of Node; the flag `--disable-sigusr1` is there from 22.14 on only, and has to be given by
 * the parent process. To be called as the first thing that a process does.
 */
export function ignoreDebuggerSignal(): void {
  process.on('SIGUSR1', () => {});
}
