/** The shape of a JSON value, compiled from OpenAPI for fast walking. Nodes of named types are shared and may be cyclic. */
export type SchemaNode = ObjectNode | MapNode | ListNode | ScalarNode;

export type ScalarType =
  | 'string'
  | 'boolean'
  | 'integer'
  | 'number'
  | 'bytes'
  | 'quantity'
  | 'intOrString'
  | 'time'
  | 'microTime'
  | 'any';

export interface ScalarNode {
  readonly type: ScalarType;
  /** What Go calls the type, for messages: `int32`, `string`, `v1.Protocol`. */
  readonly goType: string;
}

export interface MapNode {
  readonly type: 'map';
  readonly goType: string;
  readonly values: SchemaNode;
}

export interface ListNode {
  readonly type: 'list';
  readonly goType: string;
  readonly items: SchemaNode;
}

export interface ObjectNode {
  readonly type: 'object';
  /** Name of the definition, such as `io.k8s.api.core.v1.PodSpec`. */
  readonly name: string;
  readonly goType: string;
  readonly properties: Map<string, Property>;
  /** Required scalars and lists, which Go writes as zero when they are absent. */
  readonly zeros: (readonly [name: string, zero: string | number | boolean | readonly []])[];
  /** Keeps fields that the schema does not know (embedded objects). */
  readonly preserveUnknown: boolean;
}

/** A field of an object and how lists and maps in it are merged. */
export interface Property {
  readonly name: string;
  readonly node: SchemaNode;
  readonly required: boolean;
  /** An empty or zero value is the same as none and is dropped (Go's omitempty on a field that is no pointer). */
  readonly omitZero: boolean;
  /** From `x-kubernetes-patch-strategy`. */
  readonly patchMerge: boolean;
  readonly patchRetainKeys: boolean;
  readonly patchMergeKey: string | undefined;
  /** From `x-kubernetes-list-type`; a list with a merge key counts as `map`. */
  readonly listType: 'atomic' | 'set' | 'map';
  readonly listMapKeys: readonly string[];
  /** A map or object that changes hands as a whole. */
  readonly atomic: boolean;
}
