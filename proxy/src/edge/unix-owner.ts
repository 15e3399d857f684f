/** Owns: user and group names to ids, for unix sockets. Does not own: changing the file. */
import { readFileSync } from 'node:fs';
import { EdgeError } from './errors.js';

/** Numeric owner of a file; -1 leaves that part as it is (chown(2)). */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

function idOf(file: string, name: string): number {
  if (/^\d+$/.test(name)) return Number(name);
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const fields = line.split(':');
    if (fields[0] === name) return Number(fields[2]);
  }
  throw new EdgeError('ERR_EDGE_LISTEN', `no such name in ${file}: ${name}`);
}

/** Looks names up in /etc/passwd and /etc/group; throws an `EdgeError` for an unknown one. */
export function resolveOwner(user: string | undefined, group: string | undefined): Owner {
  return {
    uid: user === undefined ? -1 : idOf('/etc/passwd', user),
    gid: group === undefined ? -1 : idOf('/etc/group', group),
  };
}
