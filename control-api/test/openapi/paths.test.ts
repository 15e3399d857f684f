/** The OpenAPI file and the table of routes say the same, and the file is whole: each part described, each reference found. */
import { formatKeys, formatRows, itemMembers } from '@holdfast/grip';
import t from 'tap';
import {
  type Callbacks,
  type ChannelHistory,
  type ChannelTaps,
  type ClusterViews,
  controlErrors,
  LocalBackplane,
  type NodeDrainPort,
  type NodeViews,
  Publisher,
  silentLog,
  type TokenRevocations,
} from '../../dist/index.js';
import { controlRoutes } from '../../dist/routes.js';
import { RecordingEvents } from '../recorder.js';
import { document, type Operation, type Parameter, resolved, schemaAt } from './document.js';

const publisher = new Publisher({
  backplane: new LocalBackplane(silentLog),
  countSubscribers: () => 0,
  events: new RecordingEvents(),
  log: silentLog,
});
const views = {
  cluster: {} as ClusterViews,
  taps: {} as ChannelTaps,
  history: {} as ChannelHistory,
  node: {} as NodeViews,
};
const tokens = {} as TokenRevocations;
const drain = {} as NodeDrainPort;
const callbacks = {} as Callbacks;
const rows = controlRoutes({ publisher, pushInHttpMaxBodySize: 1, views, tokens, drain, callbacks });

/** The path of a row as the document writes it: Pushpin's paths with the slash that its publishers send. */
function documented(path: string): string {
  const open = path.replace(/\{(\w+)\+\}/g, '{$1}');
  if (!open.endsWith('/?')) return open;
  const bare = open.slice(0, -2);
  return bare === '/publish' || bare === '/recover' ? `${bare}/` : bare;
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

t.test('every row is described, and nothing that is no row', async (t) => {
  t.equal(document.openapi, '3.1.0');
  const described = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
  // A row for every method has one entry.
  const routed = rows.map(({ method, path }) => `${method === '*' ? 'GET' : method} ${documented(path)}`);
  t.strictSame(described.sort(), routed.sort());
});

t.test('the parameters of a row are those of its path and its query', async (t) => {
  for (const row of rows) {
    const operation = operationOf(row.method, row.path);
    const parameters = (operation.parameters ?? []).map((one) => resolved(one as Parameter));
    const named = (where: string) => parameters.filter((one) => one.in === where).map(({ name }) => name);
    const places = [...row.path.matchAll(/\{(\w+)\+?\}/g)].map(([, name]) => name);
    t.strictSame(named('path'), places, row.path);
    t.strictSame(named('query'), row.query?.names ?? [], row.path);
    for (const { name, description } of parameters) t.ok(description, `${row.path}: ${name} is described`);
  }
});

t.test('each operation is described, and says what each of its answers is', async (t) => {
  const ids = operations.map(({ operation }) => operation.operationId);
  t.equal(new Set(ids).size, ids.length, 'ids are unique');
  const tags = document.tags.map(({ name }) => name);
  for (const { path, operation } of operations) {
    t.ok(operation.summary && operation.description, `${path}: a summary and a description`);
    for (const tag of operation.tags) t.ok(tags.includes(tag), `${path}: ${tag}`);
    for (const [status, response] of Object.entries(operation.responses)) {
      const { description, content } = resolved(response);
      t.ok(description && content, `${path}: ${status}`);
    }
  }
});

t.test('what needs a permission can be refused for the want of it; the greeting needs none', async (t) => {
  for (const row of rows) {
    const { responses, security, description } = operationOf(row.method, row.path);
    if (row.scope === 'none') t.strictSame(security, [], row.path);
    else {
      t.equal(security, undefined, row.path);
      t.ok(responses['401'] && responses['403'], row.path);
      t.match(description, new RegExp(`\`${row.scope}\``), `${row.path}: the permission is named`);
    }
    // Answers in text too can be asked for in what there is not.
    t.equal(responses['406'] !== undefined, row.format === undefined, row.path);
  }
});

/** A coding that is known, and not that of the body, is 400; so much of a history can have gone that there is none to go on with. */
const severalStatuses = new Map([
  ['ERR_CONTROL_CODING', ['400', '415']],
  ['ERR_CONTROL_HISTORY', ['404', '410']],
]);

t.test('every code with a status is in the answer of that status, and no other', async (t) => {
  const expected = new Map<string, string>([['ERR_GRIP_ITEM', '400']]);
  for (const [code, row] of Object.entries(controlErrors)) if ('status' in row) expected.set(code, String(row.status));
  const seen = new Map<string, Set<string>>();
  const noted = (status: string, response: object) => {
    for (const code of codesOf(response)) seen.set(code, (seen.get(code) ?? new Set()).add(status));
  };
  for (const { operation } of operations)
    for (const [status, response] of Object.entries(operation.responses)) noted(status, resolved(response));
  noted('405', document.components.responses.MethodNotAllowed as object);
  for (const [code, status] of expected) {
    t.strictSame([...(seen.get(code) ?? [])].sort(), severalStatuses.get(code) ?? [status], code);
    seen.delete(code);
  }
  t.strictSame([...seen.keys()], []);
});

t.test('the members of items are those that are read', async (t) => {
  const names = (schema: string) => {
    const { properties } = document.components.schemas[schema] as { properties: object };
    return Object.keys(properties).sort();
  };
  const formats = formatKeys.map((key) => formatRows[key]);
  t.strictSame(names('Item'), [...itemMembers, ...formats.map(({ name }) => name)].sort());
  t.strictSame(names('Formats'), formats.map(({ name }) => name).sort());
  const schemaOf = {
    'http-response': 'HttpResponseFormat',
    'http-stream': 'HttpStreamFormat',
    'ws-message': 'WsMessageFormat',
    'http-request': 'HttpRequestFormat',
    'xmpp-stanza': 'XmppStanzaFormat',
  };
  for (const { name, members } of formats) t.strictSame(names(schemaOf[name]), [...members].sort(), name);
});

t.test('all references lead somewhere, all schemas can be used, and all members are described', async (t) => {
  const text = JSON.stringify(document);
  for (const [, $ref = ''] of text.matchAll(/"\$ref":"([^"]+)"/g)) t.ok(resolved({ $ref }), $ref);
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    t.type(schemaAt(`components/schemas/${name}`), 'function', name);
    const { properties = {} } = schema as { properties?: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
    for (const [member, { description, $ref, const: value }] of Object.entries(properties))
      t.ok(description ?? $ref ?? value, `${name}.${member} is described`);
  }
  for (const name of Object.keys(document.components.responses))
    t.match(text, new RegExp(`#/components/responses/${name}"|"${name}":`), `${name} is used`);
});

function operationOf(method: string, path: string): Operation {
  const found = document.paths[documented(path)]?.[method === '*' ? 'get' : method.toLowerCase()];
  if (found === undefined) throw new Error(`${method} ${path} is not described`);
  return found;
}

/** The codes that a response lists for answers in JSON. */
function codesOf(response: object): readonly string[] {
  const { content } = response as {
    content?: Record<string, { schema?: { properties?: { code?: { enum?: string[] } } } }>;
  };
  return content?.['application/json']?.schema?.properties?.code?.enum ?? [];
}
