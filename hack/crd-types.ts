// The TypeScript types of a custom resource, from the schema in its definition: the schema is the source of truth.

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export const CRD = 'crds/configrollouts.yaml';
export const CRD_TYPES = 'controller/core/config-rollout.ts';

interface Schema {
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly string[];
  readonly default?: unknown;
}

/** The text of the file, unformatted. */
export function crdTypes(): string {
  const { spec } = parse(readFileSync(CRD, 'utf8'));
  const { properties } = spec.versions[0].schema.openAPIV3Schema as Schema;
  const interfaces = ['spec', 'status'].map((part) => {
    const schema = properties?.[part];
    if (schema === undefined) throw new Error(`${CRD} has no ${part}`);
    const name = `${spec.names.kind}${part[0]?.toUpperCase()}${part.slice(1)}`;
    return `${comment(schema)}export interface ${name} ${object(schema)}`;
  });
  return [`// Generated from ${CRD} by \`make generate\`.`, ...interfaces, ''].join('\n\n');
}

function typeOf(schema: Schema): string {
  switch (schema.type) {
    case 'object':
      return object(schema);
    case 'array':
      return `readonly (${typeOf(schema.items ?? { type: 'object' })})[]`;
    case 'string':
      return schema.enum?.map((value) => `'${value}'`).join(' | ') ?? 'string';
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      return schema.type satisfies never;
  }
}

function object({ properties = {}, required = [] }: Schema): string {
  const fields = Object.entries(properties).map(([name, schema]) => {
    // What is not given is filled in by the API server.
    const isThere = required.includes(name) || schema.default !== undefined;
    return `${comment(schema)}readonly ${name}${isThere ? '' : '?'}: ${typeOf(schema)}${isThere ? '' : ' | undefined'};`;
  });
  return `{\n${fields.join('\n')}\n}`;
}

function comment({ description }: Schema): string {
  return description === undefined ? '' : `/** ${description} */\n`;
}
