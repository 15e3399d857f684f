/** Owns: making no connection to an origin where the process has no file descriptor to spare. Does not own: how one is made. */
import { noDescriptorError } from './errors.js';

/** What makes a connection, and calls back with it or with what has failed. */
type Connect<Options, Callback> = (options: Options, done: Callback) => void;

/** The same, but that each connection is asked for first; one that is not admitted fails at once. */
export function guardedConnect<Options, Callback extends (error: Error, socket: null) => void>(
  connect: Connect<Options, Callback>,
  admits: () => boolean,
): Connect<Options, Callback> {
  return (options, done) => {
    if (admits()) connect(options, done);
    else done(noDescriptorError(), null);
  };
}
