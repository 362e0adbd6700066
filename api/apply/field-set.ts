/**
 * A set of paths into an object, kept as a tree: who manages which fields.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 *
 * Steps of a path are written as in `managedFields`: `f:name` for a field or a map's key, `k:{"name":"a"}` for the item
 * of a list by its keys, `v:"x"` for an item of a set.
 */
export class FieldSet {
  /** Whether the path that ends here is in the set. */
  readonly member: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;

  constructor(member: boolean, children: ReadonlyMap<string, FieldSet>) {
    this.member = member;
    this.children = children;
  }

  static readonly empty = new FieldSet(false, new Map());
  static readonly leaf = new FieldSet(true, new Map());

  get isEmpty(): boolean {
    // Branches without a member are never kept.
    return !this.member && this.children.size === 0;
  }

  /** A set with these branches; those without a member are left out. */
  static of(member: boolean, branches: Iterable<readonly [string, FieldSet]>): FieldSet {
    const children = new Map<string, FieldSet>();
    for (const [step, child] of branches) if (!child.isEmpty) children.set(step, child);
    return member || children.size ? new FieldSet(member, children) : FieldSet.empty;
  }

  at(step: string): FieldSet | undefined {
    return this.children.get(step);
  }

  union(other: FieldSet): FieldSet {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    const children = new Map(this.children);
    for (const [step, child] of other.children) children.set(step, children.get(step)?.union(child) ?? child);
    return new FieldSet(this.member || other.member, children);
  }

  intersection(other: FieldSet): FieldSet {
    const branches: [string, FieldSet][] = [];
    for (const [step, child] of this.children) {
      const twin = other.children.get(step);
      if (twin) branches.push([step, child.intersection(twin)]);
    }
    return FieldSet.of(this.member && other.member, branches);
  }

  difference(other: FieldSet): FieldSet {
    const branches: [string, FieldSet][] = [];
    for (const [step, child] of this.children) {
      const twin = other.children.get(step);
      branches.push([step, twin ? child.difference(twin) : child]);
    }
    return FieldSet.of(this.member && !other.member, branches);
  }

  /** The set without these branches of the root, whole. */
  without(steps: readonly string[]): FieldSet {
    if (!steps.some((step) => this.children.has(step))) return this;
    return FieldSet.of(
      this.member,
      [...this.children].filter(([step]) => !steps.includes(step)),
    );
  }

  equals(other: FieldSet): boolean {
    if (this.member !== other.member || this.children.size !== other.children.size) return false;
    for (const [step, child] of this.children) {
      const twin = other.children.get(step);
      if (!twin || !child.equals(twin)) return false;
    }
    return true;
  }

  /** All paths in the set, in the order of the tree. */
  *paths(prefix: readonly string[] = []): Generator<readonly string[]> {
    if (this.member) yield prefix;
    for (const [step, child] of this.children) yield* child.paths([...prefix, step]);
  }

  /** The form in `managedFields`. */
  toFieldsV1(): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    if (this.member && this.children.size) result['.'] = {};
    for (const step of [...this.children.keys()].sort()) result[step] = this.children.get(step)!.toFieldsV1();
    return result;
  }

  /** Reads the form in `managedFields`; what is malformed in it is ignored. */
  static fromFieldsV1(fields: unknown, isRoot = true): FieldSet {
    if (typeof fields !== 'object' || fields === null) return FieldSet.empty;
    const entries = Object.entries(fields);
    const member = !isRoot && (entries.length === 0 || '.' in fields);
    return FieldSet.of(
      member,
      entries
        .filter(([step]) => /^[fkvi]:/.test(step))
        .map(([step, child]) => [step, FieldSet.fromFieldsV1(child, false)] as const),
    );
  }
}

/** A path for messages: `.spec.containers[name="a"].image`. */
export function formatPath(path: readonly string[]): string {
  return path
    .map((step) => {
      const rest = step.slice(2);
      if (step.startsWith('f:')) return `.${rest}`;
      if (step.startsWith('v:')) return `[=${rest}]`;
      if (step.startsWith('i:')) return `[${rest}]`;
      const keys = JSON.parse(rest) as Record<string, unknown>;
      return `[${Object.entries(keys)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(',')}]`;
    })
    .join('');
}
