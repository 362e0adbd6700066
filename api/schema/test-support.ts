import fc from 'fast-check';
import type { SchemaNode } from './node.ts';

const someText = fc.constantFrom(
  '',
  'a',
  'web',
  'None',
  'Always',
  'IPv4',
  '../x',
  'kubernetes.io/x',
  '10.0.0.1',
  'ü',
  '25%',
);

/** Any value of a schema, shallow enough to be quick, with fields missing at random. */
export function anyOf(node: SchemaNode, depth: number): fc.Arbitrary<unknown> {
  switch (node.type) {
    case 'string':
      return someText;
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.constantFrom(-1, 0, 1, 80, 70000);
    case 'number':
      return fc.constantFrom(0, 0.5);
    case 'bytes':
      return fc.constantFrom('', 'YQ==', 'e30=');
    case 'quantity':
      return fc.constantFrom('0', '1', '500m', '-1', '1Gi', '1.5');
    case 'intOrString':
      return fc.constantFrom<unknown>(0, 80, 'http', '25%', '');
    case 'time':
    case 'microTime':
      return fc.constantFrom('2024-01-01T00:00:00Z', '2023-05-05T05:05:05.5+02:00');
    case 'any':
      return fc.constantFrom<unknown>({}, { a: 1 });
    case 'list':
      return depth <= 0 ? fc.constant([]) : fc.array(anyOf(node.items, depth - 1), { maxLength: 2 });
    case 'map':
      return depth <= 0
        ? fc.constant({})
        : fc.dictionary(fc.constantFrom('a', 'cpu', 'app', 'x/y/z'), anyOf(node.values, depth - 1), {
            maxKeys: 2,
          });
    case 'object': {
      const fields: Record<string, fc.Arbitrary<unknown>> = {};
      if (depth > 0)
        for (const property of node.properties.values())
          fields[property.name] = anyOf(property.node, depth - 1);
      return fc.record(fields, { requiredKeys: [] });
    }
  }
}
