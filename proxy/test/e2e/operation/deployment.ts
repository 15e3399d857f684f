/**
 * Reading what deploy/ says: the services of compose.yaml, the stages of the Dockerfile, and which files Docker is
 * given. Of the three languages only what is written there is understood.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../../kit/child.js';

/** What is looked at of a service. */
export interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, object>>;
  readonly ports?: readonly string[];
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
}

/** What is looked at of compose.yaml. */
export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, object>>;
}

/** compose.yaml, with what it merges. */
export function readCompose(): Compose {
  return parse(readFileSync(join(root, 'deploy', 'compose.yaml'), 'utf8'), { merge: true }) as Compose;
}

/** One stage of the Dockerfile, with what it takes over from the stages that it begins with. */
export interface Stage {
  readonly name: string;
  /** Its `RUN` lines, its own only. */
  readonly runs: readonly string[];
  /** Its `COPY` lines, its own only: the stage that is copied from, if it is not the context. */
  readonly copies: readonly { readonly from: string | undefined; readonly sources: readonly string[] }[];
  readonly environment: Readonly<Record<string, string>>;
  readonly exposed: readonly string[];
  readonly user: string | undefined;
  /** The command of the health check; undefined without one. */
  readonly probe: readonly string[] | undefined;
}

type Draft = { -readonly [K in keyof Stage]: Stage[K] };

/** The stages of deploy/Dockerfile by name, in order. */
export function readDockerfile(): ReadonlyMap<string, Stage> {
  const text = readFileSync(join(root, 'deploy', 'Dockerfile'), 'utf8').replace(/^#.*\n/gm, '');
  const stages = new Map<string, Draft>();
  let stage: Draft | undefined;
  for (const line of text.replaceAll('\\\n', ' ').split('\n').filter(Boolean)) {
    const [, word = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (word === 'FROM') {
      const [base = '', , name = ''] = rest.split(' ');
      const before = stages.get(base) ?? { environment: {}, exposed: [], user: undefined, probe: undefined };
      stage = { ...before, name, runs: [], copies: [] };
      stages.set(name, stage);
    } else if (stage !== undefined) obey(stage, word, rest);
  }
  return stages;
}

function obey(stage: Draft, word: string, rest: string): void {
  if (word === 'RUN') stage.runs = [...stage.runs, rest];
  else if (word === 'USER') stage.user = rest;
  else if (word === 'EXPOSE') stage.exposed = [...stage.exposed, ...rest.split(' ')];
  else if (word === 'ENV') {
    const added = [...rest.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name, value]);
    stage.environment = { ...stage.environment, ...Object.fromEntries(added) };
  } else if (word === 'HEALTHCHECK') stage.probe = JSON.parse(rest.slice(rest.indexOf('['))) as string[];
  else if (word === 'COPY') {
    const words = rest.split(' ');
    const from = /^--from=(.+)$/.exec(words[0] ?? '')?.[1];
    const sources = words.slice(from === undefined ? 0 : 1, -1);
    stage.copies = [...stage.copies, { from, sources }];
  }
}

/** The files that Docker is given, as paths from the root: what .dockerignore does not keep from it. */
export function contextFiles(): readonly string[] {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  const wanted = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const unwanted = new Set(lines.filter((line) => line.startsWith('**/')).map((line) => line.slice(3)));
  const under = (path: string): string[] => {
    if (unwanted.has(path.slice(path.lastIndexOf('/') + 1))) return [];
    try {
      return readdirSync(join(root, path)).flatMap((name) => under(`${path}/${name}`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return [path];
      throw error;
    }
  };
  return wanted.flatMap(under);
}
