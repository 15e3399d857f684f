// Reads the limits of Holdfast from its source and renders docs/limits.md.
//
// A limit is a constant, an option or a field with two tags in the comment directly above it:
//
//   /**
//    * @limit {MiB} that wait for one worker
//    * @over the worker is killed and replaced, logged
//    */
//   export const CHANNEL_QUEUE_MAX = 64 * 1024 * 1024;
//
// `{}` stands for the value as it is, `{MiB}` and the other units for the value in that unit (times are milliseconds in
// constants), `{pushpin}` for an option's default in a pushpin.conf. `@over –` means that nothing happens beyond the value.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './setup.mjs';

/** @typedef {{ name: string, file: string, line: number, init: string | undefined, pushpin: string | undefined, limit: string, over: string, wrong: string | undefined }} Limit */

const packages = ['proxy', 'control-api', 'grip'];

/**
 * The sections of the page in their order. A limit belongs to the section with the longest folder that its file is in.
 *
 * @type {{ title: string, text?: string, folders: string[], more?: string[] }[]}
 */
const sections = [
  {
    title: 'Options',
    text: 'The values are defaults. [config.md](config.md) describes each option.',
    folders: ['proxy/src/config/options'],
  },
  {
    title: 'Clients',
    folders: ['edge', 'http', 'websocket', 'sessions', 'sockjs', 'xmpp', 'cross-origin'].map(
      (name) => `proxy/src/${name}`,
    ),
  },
  {
    title: 'The uws edge',
    folders: ['proxy/src/edge/uws'],
    more: [
      '| answers that a client does not read | one of 16,000 bytes in the library | its next request is not served before they have left; a request sent all the same cuts the connection | the library |',
      '| heads, idle connections | 8 to 12 s | connection closed | the library |',
    ],
  },
  {
    title: 'Requests and origins',
    folders: ['request', 'origin', 'answers', 'decoding', 'routes'].map((name) => `proxy/src/${name}`),
  },
  {
    title: 'Holds, items and history',
    folders: [
      ...['channels', 'delivery', 'holds', 'history', 'links', 'compression'].map((name) => `proxy/src/${name}`),
      'control-api/src/backplane',
    ],
    text: 'Short pieces of a body that are kept are copied together, so that a limit in bytes is a limit of memory.',
  },
  { title: 'Protocol', folders: ['grip/src'] },
  {
    title: 'Redis and nodes',
    folders: ['backplane/redis', 'cluster', 'occupancy'].map((name) => `control-api/src/${name}`),
  },
  { title: 'Events', folders: ['control-api/src/events', 'proxy/src/telemetry/events'] },
  { title: 'Callbacks', folders: ['control-api/src/callbacks', 'control-api/src/webhooks'] },
  {
    title: 'Control API and ZeroMQ',
    folders: ['control-api/src'],
    text: 'The number of parts of a ZeroMQ message has no limit: the library keeps them in memory until the last one is there.',
  },
  { title: 'Commands', folders: ['proxy/src/commands'] },
  { title: 'Process', folders: ['proxy/src'] },
];

/** @type {Record<string, (value: number) => string>} */
const units = {
  '': (value) => value.toLocaleString('en-US'),
  KiB: (value) => `${value / 2 ** 10} KiB`,
  MiB: (value) => `${value / 2 ** 20} MiB`,
  Mi: (value) => `${value / 2 ** 20} Mi`,
  ms: (value) => `${value} ms`,
  s: (value) => `${value / 1_000} s`,
  min: (value) => `${value / 60_000} min`,
  days: (value) => `${value / 86_400_000} days`,
};

const comment = /\/\*\*(?:(?!\*\/)[\s\S])*?@(?:limit|over)\b(?:(?!\*\/)[\s\S])*\*\//g;
/** What may stand below the comment: a constant, a field, a row of a table by its `key`, or a row by its name. */
const declarations = [
  /^\s*(?:export )?const (?<name>\w+)[^=]*= *(?<init>[^;]+);/,
  /^\s*(?:static |readonly )+(?<name>\w+)(?:[^=;,]*= *(?<init>[^;,]+))?[^;,]*[;,]/,
  /^\s*(?:\w+\()?\{\s*key: '(?<name>\w+)'/,
  /^\s*'?(?<name>\w+)'?: /,
];

/** @returns {Limit[]} every limit of the source, in the order of files and lines */
function readLimits() {
  const files = packages.flatMap((name) =>
    readdirSync(path.join(root, name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => path.posix.join(name, 'src', file.split(path.sep).join('/'))),
  );
  return files.sort().flatMap((file) => {
    const code = readFileSync(path.join(root, file), 'utf8');
    return [...code.matchAll(comment)].map((match) => limitAt(file, code, match[0], match.index));
  });
}

/** @param {string} file @param {string} code @param {string} text @param {number} at @returns {Limit} */
function limitAt(file, code, text, at) {
  const below = code.slice(at + text.length);
  const found = declarations.map((form) => form.exec(below)?.groups).find((groups) => groups !== undefined);
  const row = below.slice(0, below.search(/\n {2}\}|\/\*\*/) >>> 0);
  const line = code.slice(0, at).split('\n').length;
  const [limit, over] = [tag(text, 'limit'), tag(text, 'over')];
  /** @type {Limit} */
  const result = {
    name: found?.name ?? '',
    file,
    line,
    init: found?.init ?? /\bdefault: *([\d_]+)/.exec(row)?.[1],
    pushpin: /\bpushpinDefault: *([\d_]+)/.exec(row)?.[1],
    limit: limit ?? '',
    over: over ?? '',
    wrong: undefined,
  };
  if (found === undefined) result.wrong = 'a limit that stands above nothing';
  else if (!limit) result.wrong = `${result.name} has @over and no @limit`;
  else if (!over) result.wrong = `${result.name} has @limit and no @over`;
  return result;
}

/** @param {string} text @param {string} name */
function tag(text, name) {
  const lines = text
    .replace(/\*\/$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\/?\*+ ?/, ''));
  const start = lines.findIndex((line) => line.startsWith(`@${name} `));
  if (start < 0) return undefined;
  const end = lines.findIndex((line, index) => index > start && (line.startsWith('@') || line.trim() === ''));
  const said = lines
    .slice(start, end < 0 ? undefined : end)
    .join(' ')
    .slice(name.length + 2);
  return said.replace(/\s+/g, ' ').trim();
}

/**
 * The number that an initializer stands for: digits, `*`, `**`, `+` and the names of other constants.
 *
 * @param {string} init
 * @param {string} file where it stands
 * @returns {number | undefined}
 */
function numberOf(init, file) {
  const numbers = init.replace(/\b[A-Z][A-Z_\d]+\b/g, (name) => String(constant(name, file) ?? name));
  if (!/^[\d\s_*+()x.a-f]+$/.test(numbers)) return undefined;
  return Number(new Function(`return ${numbers}`)());
}

/** @param {string} name @param {string} file @returns {number | undefined} a constant of the file, or of a file that it imports from */
function constant(name, file) {
  const code = readFileSync(path.join(root, file), 'utf8');
  const own = new RegExp(`\\bconst ${name}\\b[^=]*= *([^;]+);`).exec(code)?.[1];
  if (own !== undefined) return numberOf(own, file);
  const from = new RegExp(`\\b${name}\\b[^;]*from '(\\.[^']+)\\.js'`).exec(code)?.[1];
  return from === undefined ? undefined : constant(name, path.posix.join(path.posix.dirname(file), `${from}.ts`));
}

/** @param {Limit} limit @returns {string} what it bounds, with its value from the code */
function bound({ limit, init, pushpin, file }) {
  return limit.replace(/\{(\w*)\}/g, (placeholder, unit) => {
    const value = numberOf((unit === 'pushpin' ? pushpin : init) ?? '', file);
    const write = units[unit === 'pushpin' ? '' : unit];
    return value === undefined || write === undefined ? placeholder : write(value);
  });
}

/** @param {string} file */
function sectionOf(file) {
  let best = { title: '', length: 0 };
  for (const { title, folders } of sections) {
    for (const folder of folders) {
      if (file.startsWith(`${folder}/`) && folder.length > best.length) best = { title, length: folder.length };
    }
  }
  return best.title;
}

/** @returns {string} the page docs/limits.md */
export function renderLimits() {
  const limits = readLimits().filter(({ wrong }) => wrong === undefined);
  const cell = (/** @type {string} */ text) => text.replaceAll('|', '\\|');
  const tables = sections.map(({ title, text, more = [] }) => {
    const rows = limits
      .filter(({ file }) => sectionOf(file) === title)
      .map((limit) => `| \`${limit.name}\` | ${cell(bound(limit))} | ${cell(limit.over)} | \`${limit.file}\` |`);
    const table = ['| limit | value | over it | where |', '| --- | --- | --- | --- |', ...rows, ...more].join('\n');
    return [`## ${title}`, ...(text === undefined ? [] : [text]), table].join('\n\n');
  });
  return `# Limits

<!-- Generated by \`npm run docs\` from the tags @limit and @over in the source; edit those. -->

Every queue, buffer, count and wait in Holdfast has a limit with a name. The table says what each one bounds and what happens
beyond it; – means that nothing does. Constants are fixed, options can be set.

${tables.join('\n\n')}
`;
}

/** @returns {string[]} what is wrong with the limits of the source */
export function wrongLimits() {
  return readLimits().flatMap((limit) => {
    const where = `${limit.file}:${limit.line}`;
    if (limit.wrong !== undefined) return [`${where}: ${limit.wrong}`];
    const open = /\{\w*\}/.exec(bound(limit))?.[0];
    return open === undefined ? [] : [`${where}: ${limit.name} has no value for ${open}`];
  });
}
