/**
 * A patch that cannot be read (400), is too large (413) or does not fit the object (422). `message` is what Kubernetes
 * answers; for 422 that says little, so `detail` has the reason.
 */
export class PatchError extends Error {
  override name = 'PatchError';
  readonly code: 400 | 413 | 422;
  readonly detail: string;

  constructor(code: 400 | 413 | 422, detail: string) {
    super(code === 422 ? 'the server rejected our request due to an error in our request' : detail);
    this.code = code;
    this.detail = detail;
  }
}

export type JSONObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JSONObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sets a field of the object itself, also one named `__proto__`. */
export function setOwn(object: JSONObject, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  else object[name] = value;
}

/** A value as Go prints it with `%v`, for messages: `map[a:1 b:[x y]]`. */
export function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (isObject(value))
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${goText(value[key])}`)
      .join(' ')}]`;
  return value === null || value === undefined ? '<nil>' : String(value);
}
