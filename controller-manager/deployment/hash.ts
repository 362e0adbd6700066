import type { PodTemplateSpec } from '../../api/types/core-v1.ts';

/** The label that tells the pods of a Deployment's ReplicaSets apart. */
export const hashLabel = 'pod-template-hash';

/** JSON with sorted keys, so that the order in which a client wrote the fields does not count. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/** FNV-1a, 32 bits. http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv32a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** Letters and digits that make no words and look unlike each other. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** The same for the same template; `collisionCount` changes it when the name it gives is taken. */
export function podTemplateHash(template: PodTemplateSpec, collisionCount?: number): string {
  const hash = fnv32a(canonical(template) + (collisionCount === undefined ? '' : `#${collisionCount}`));
  return [...String(hash)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join('');
}
