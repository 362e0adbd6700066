/** How an answer is laid out. */
export type Representation = 'object' | 'table' | 'metadata' | 'metadataList';

export interface Negotiated {
  format: 'json' | 'yaml';
  representation: Representation;
  contentType: string;
}

const representations: Record<string, Representation> = {
  'Table;v1': 'table',
  'Table;v1beta1': 'table',
  'PartialObjectMetadata;v1': 'metadata',
  'PartialObjectMetadataList;v1': 'metadataList',
};

interface Clause {
  type: string;
  parameters: Record<string, string>;
  quality: number;
}

function clauses(accept: string): Clause[] {
  return accept
    .split(',')
    .map((text) => {
      const [type = '', ...rest] = text.split(';').map((part) => part.trim());
      const parameters: Record<string, string> = {};
      for (const part of rest) {
        const equals = part.indexOf('=');
        if (equals > 0) parameters[part.slice(0, equals)] = part.slice(equals + 1);
      }
      return { type: type.toLowerCase(), parameters, quality: Number(parameters.q ?? 1) };
    })
    .filter((clause) => clause.quality > 0)
    .sort((a, b) => b.quality - a.quality);
}

const plainJson: Negotiated = { format: 'json', representation: 'object', contentType: 'application/json' };
const cache = new Map<string, Negotiated | undefined>();

function choose(accept: string): Negotiated | undefined {
  for (const { type, parameters } of clauses(accept)) {
    const format =
      type === 'application/json' || type === '*/*' || type === 'application/*'
        ? 'json'
        : type === 'application/yaml'
          ? 'yaml'
          : undefined;
    if (!format) continue;
    const { as, g = 'meta.k8s.io', v = 'v1' } = parameters;
    if (!as) return { ...plainJson, format, contentType: `application/${format}` };
    const representation = g === 'meta.k8s.io' ? representations[`${as};${v}`] : undefined;
    if (representation) return { format, representation, contentType: `application/${format}` };
  }
  return undefined;
}

/** The media types that a resource can be asked for in. */
export const acceptedTypes = ['application/json', 'application/yaml'];

/**
 * Chooses the answer's format from an Accept header; undefined if none of what it lists is offered. Protobuf is
 * not offered: clients list JSON after it.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
 */
export function negotiate(accept: string | undefined): Negotiated | undefined {
  if (!accept || accept === 'application/json' || accept === '*/*') return plainJson;
  if (!cache.has(accept)) {
    // Clients send few different headers; one that sends many must not fill the memory.
    if (cache.size > 200) cache.clear();
    cache.set(accept, choose(accept));
  }
  return cache.get(accept);
}
