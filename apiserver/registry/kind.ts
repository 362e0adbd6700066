import type { KubeObject, Resource } from '../../api/object.ts';

/** One reason why an object is refused, worded as Kubernetes words it. Built by `api/field-error.ts`. */
export interface FieldError {
  /** The cause's reason: `FieldValueRequired`, `FieldValueInvalid`, `FieldValueNotSupported`, … */
  reason: string;
  /** Path of the field, such as `spec.containers[0].image`. */
  field: string;
  /** The cause's message without the field: `Required value`, `Invalid value: "x": must be …`. */
  message: string;
}

/** One column of `kubectl get` (a TableColumnDefinition and how to fill it). */
export interface TableColumn<T> {
  name: string;
  type: 'string' | 'integer' | 'date' | 'boolean';
  format?: string;
  description?: string;
  /** 0: always shown; 1: only with `-o wide`. */
  priority?: 0 | 1;
  value(object: T, now: number): string | number | boolean | null;
}

/** What a strategy may know besides the object. */
export interface StrategyContext {
  /** Milliseconds since the epoch. */
  now: number;
  newUID(): string;
  user: { name: string; groups: string[]; uid?: string; extra?: Record<string, string[]> };
}

/** How `scale` reads and writes one kind. */
export interface ScaleDeclaration<T> {
  specReplicas(object: T): number;
  setSpecReplicas(object: T, replicas: number): void;
  statusReplicas(object: T): number;
  /** The label selector in its string form. */
  selector(object: T): string;
}

/**
 * A kind, declared once. REST verbs, discovery, OpenAPI, tables, watch and field selectors derive from it;
 * there is no per-kind route code. A CustomResourceDefinition makes the same declaration at run time.
 */
export interface KindDeclaration<T extends KubeObject = KubeObject> extends Resource<T> {
  singular: string;
  listKind: string;
  shortNames: readonly string[];
  categories: readonly string[];
  verbs: readonly string[];
  /** Name of the definition in `api/openapi/kubernetes.json`. */
  schema: string;
  /** Key prefix below the storage prefix, when it is not `plural` (as `services/specs`). */
  storagePath?: string;
  /** Fills absent fields, in place. Runs on every decode of a write, before validation, and must be idempotent. */
  defaults?(object: T): void;
  /** Drops what a creator may not set (status) and sets what the server owns (generation). In place. */
  prepareForCreate?(object: T, context: StrategyContext): void;
  /** Restores what an update may not touch (status, immutable server fields) and bumps generation. In place. */
  prepareForUpdate?(next: T, previous: T, context: StrategyContext): void;
  validate?(object: T): FieldError[];
  validateUpdate?(next: T, previous: T): FieldError[];
  /** Present if the kind has a status subresource: its own update rules. */
  status?: {
    prepareForUpdate?(next: T, previous: T, context: StrategyContext): void;
    validateUpdate?(next: T, previous: T): FieldError[];
  };
  scale?: ScaleDeclaration<T>;
  /** Non-fatal advice, sent as `Warning` headers. */
  warnings?(object: T): string[];
  /** Extra field selectors beside metadata.name and metadata.namespace. */
  selectableFields?: Readonly<Record<string, (object: T) => string>>;
  columns: readonly TableColumn<T>[];
  /**
   * Graceful deletion: seconds to wait for a component to confirm, or 0 to delete at once. Absent: at once.
   * `requested` is what the client asked for, if it asked.
   */
  gracePeriodSeconds?(object: T, requested: number | undefined): number;
  /** Objects vanish by themselves this long after their last write (Events). */
  ttlSeconds?: number;
  /** A PUT on a name that does not exist creates the object. */
  allowCreateOnUpdate?: boolean;
  /** DELETE answers with the deleted object instead of a Status (Pods, Services, ServiceAccounts, …). */
  deleteReturnsObject?: boolean;
  /** Propagation when the client names none; Kubernetes' default for most kinds is `background`. */
  defaultDeletionPropagation?: 'background' | 'orphan';
}
