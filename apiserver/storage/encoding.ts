import type { KubeObject } from '../../api/object.ts';

const opening = '"metadata":{';

/** The bytes that go into the store: `kind`, `apiVersion`, `metadata` first, no resourceVersion. */
export function encodeForStore(object: KubeObject): Buffer {
  const { kind, apiVersion, metadata, ...rest } = object;
  return Buffer.from(
    JSON.stringify({ kind, apiVersion, metadata: { ...metadata, resourceVersion: undefined }, ...rest }),
  );
}

/**
 * The bytes that clients see: stored bytes with `metadata.resourceVersion` set to the revision, without parsing
 * them. What another program stored in another layout is parsed and laid out anew.
 */
export function withResourceVersion(stored: Buffer, revision: number): Buffer {
  const head = stored.toString('latin1', 0, 256);
  const start = head.indexOf(opening);
  if (!head.startsWith('{"kind":"') || start < 0 || head.lastIndexOf('{', start) !== 0) {
    const object = JSON.parse(stored.toString()) as KubeObject;
    return withResourceVersion(encodeForStore({ ...object, metadata: { ...object.metadata } }), revision);
  }
  const at = start + opening.length;
  const comma = stored[at] === 0x7d ? '' : ',';
  const insertion = `"resourceVersion":"${revision}"${comma}`;
  const result = Buffer.allocUnsafeSlow(stored.length + insertion.length);
  stored.copy(result, 0, 0, at);
  result.write(insertion, at, 'latin1');
  stored.copy(result, at + insertion.length, at);
  return result;
}
