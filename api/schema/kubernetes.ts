import document from '../openapi/kubernetes.json' with { type: 'json' };
import { type OpenAPISchema, SchemaCompiler } from './compile.ts';
import type { ObjectNode } from './node.ts';

/** The OpenAPI definitions of the built-in types, by name (`io.k8s.api.core.v1.Pod`), without descriptions. */
export const definitions = document.schemas as unknown as Readonly<Record<string, OpenAPISchema>>;

const compiler = new SchemaCompiler(definitions);

/** The compiled schema of a built-in type. Compiled on first use and then shared. @throws {Error} for an unknown name */
export const schemaOf = (name: string): ObjectNode => compiler.object(name);
