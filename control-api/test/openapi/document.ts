/** The OpenAPI file of the control API, as far as tests look at it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';

/** A reference in the place of what it leads to. */
export interface Reference {
  readonly $ref?: string;
}

/** A part of a request beside its body. */
export interface Parameter extends Reference {
  readonly name: string;
  readonly in: 'query' | 'header' | 'path';
  readonly description?: string;
}

/** An answer. */
export interface Response extends Reference {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}

/** One method of one path. */
export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly (Parameter | Reference)[];
  readonly requestBody?: Response;
  readonly responses: Readonly<Record<string, Response>>;
}

/** The document. */
export interface Document {
  readonly openapi: string;
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly parameters: Readonly<Record<string, Parameter>>;
    readonly responses: Readonly<Record<string, Response>>;
    readonly schemas: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, { readonly name?: string; readonly scheme?: string }>>;
  };
}

const file = fileURLToPath(new URL('../../openapi.yaml', import.meta.url));

/** As it is in the package. */
export const document = parse(readFileSync(file, 'utf8')) as Document;

/** What a reference within the document leads to; anything else as it is. */
export function resolved<Part extends Reference>(part: Part): Part {
  if (part.$ref === undefined) return part;
  const keys = part.$ref.slice('#/'.length).split('/');
  const found = keys.reduce<unknown>((from, key) => (from as Readonly<Record<string, unknown>>)[key], document);
  if (typeof found !== 'object' || found === null) throw new Error(`${part.$ref} leads nowhere`);
  return found as Part;
}

const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
const { paths, components } = document;
ajv.addVocabulary(['paths', 'components']);
// No schema itself, but what schemas are found in.
ajv.addSchema({ $id: 'openapi', paths, components } as object, undefined, false);

/** Compiles a schema of the document. */
export function schemaAt(pointer: string): ValidateFunction {
  return ajv.compile({ $ref: `openapi#/${pointer}` });
}
