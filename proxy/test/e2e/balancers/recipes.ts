/** The load balancers of deploy/recipes as programs, with their files as they are, names and ports aside. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Certificate } from '../../kit/certificates.js';
import { root, startChild } from '../../kit/child.js';
import { newDirectory } from '../../kit/holdfast.js';
import { freePort, isDead } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

/** Two nodes, told apart by their address alone: balancers ask both at the same admin port. */
export interface Nodes {
  readonly addresses: readonly [string, string];
  readonly clientsPort: number;
  readonly adminPort: number;
}

/** How a recipe is made to run here. */
interface Recipe {
  readonly file: string;
  /** What is replaced of it, beside the nodes: each of them has to be there. */
  readonly replaced: (port: number, certificate: Certificate, directory: string) => Readonly<Record<string, string>>;
  /** Writes what the program needs beside the recipe, and says how it is called. */
  readonly command: (directory: string, recipe: string) => readonly [string, ...string[]];
}

/** nginx includes such files into its own configuration, which is not part of the recipe. */
const nginxConf = (directory: string, recipe: string) => `
  daemon off; pid ${directory}/pid; error_log stderr; worker_processes 1; events {}
  http {
    access_log off; client_body_temp_path ${directory}/a; proxy_temp_path ${directory}/b; fastcgi_temp_path ${directory}/c;
    uwsgi_temp_path ${directory}/d; scgi_temp_path ${directory}/e;
    include ${recipe};
  }`;

/** The recipes by the name of the program. */
export const recipes: Readonly<Record<'nginx' | 'haproxy' | 'caddy', Recipe>> = {
  nginx: {
    file: 'nginx.conf',
    replaced: (port, { certFile, keyFile }) => ({
      'listen 443 ': `listen 127.0.0.1:${port} `,
      'example.com': 'localhost',
      '/etc/ssl/holdfast.crt': certFile,
      '/etc/ssl/holdfast.key': keyFile,
    }),
    command: (directory, recipe) => {
      const file = join(directory, 'main.conf');
      writeFileSync(file, nginxConf(directory, recipe));
      return ['nginx', '-p', directory, '-c', file];
    },
  },
  haproxy: {
    file: 'haproxy.cfg',
    replaced: (port, { cert, key }, directory) => {
      const pem = join(directory, 'both.pem');
      writeFileSync(pem, cert + key);
      // For the recipe's number of clients a test may not open enough files.
      return {
        'bind :443 ': `bind 127.0.0.1:${port} `,
        '/etc/ssl/holdfast.pem': pem,
        'maxconn 100000': 'maxconn 1000',
      };
    },
    command: (_directory, recipe) => ['haproxy', '-db', '-f', recipe],
  },
  caddy: {
    file: 'Caddyfile',
    replaced: (port, { certFile, keyFile }) => ({
      'example.com {': `https://localhost:${port} {`,
      '/etc/ssl/holdfast.crt': certFile,
      '/etc/ssl/holdfast.key': keyFile,
    }),
    command: (directory, recipe) => {
      // Ports of its own that Caddy opens besides: 80, and one for its administration.
      const file = join(directory, 'Caddyfile.test');
      const options = 'admin off\nauto_https disable_redirects\ndefault_bind 127.0.0.1';
      writeFileSync(file, `{\n${options}\n}\n${readFileSync(recipe, 'utf8')}`);
      return ['caddy', 'run', '--adapter', 'caddyfile', '--config', file];
    },
  },
};

/** Writes a recipe as it is used here; throws where something that is replaced is not in it. */
function write(directory: string, { file, replaced }: Recipe, nodes: Nodes, port: number, certificate: Certificate) {
  let text = readFileSync(join(root, 'deploy', 'recipes', file), 'utf8');
  const replace = (from: RegExp | string, to: string) => {
    const after = text.replaceAll(from, to);
    if (after === text) throw new Error(`${file} has no ${from}`);
    text = after;
  };
  for (const [index, address] of nodes.addresses.entries())
    replace(`node${index + 1}:7999`, `${address}:${nodes.clientsPort}`);
  if (text.includes('/readyz')) replace(/\b5580\b/g, `${nodes.adminPort}`);
  for (const [from, to] of Object.entries(replaced(port, certificate, directory))) replace(from, to);
  const path = join(directory, file);
  writeFileSync(path, text);
  return path;
}

/** Starts a balancer in front of two nodes; resolves with its address when it listens. */
export async function startBalancer(
  t: Test,
  name: keyof typeof recipes,
  nodes: Nodes,
  certificate: Certificate,
): Promise<string> {
  const directory = newDirectory(t);
  const port = await freePort();
  const recipe = recipes[name];
  const [command, ...args] = recipe.command(directory, write(directory, recipe, nodes, port, certificate));
  const homes = { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory };
  const child = startChild(t, { command, args, env: homes });
  await until(
    `${name} listens`,
    async () => {
      if (!child.running) throw new Error(`${name} has ended:\n${child.stderr}`);
      return !(await isDead(port));
    },
    () => child.stderr,
  );
  return `https://localhost:${port}`;
}
