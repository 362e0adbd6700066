import { createHash } from 'node:crypto';
import type { Container } from '../../api/types/core-v1.ts';

/**
 * Identifies what of a container's spec cannot change while it runs. Only the name and image can change in a
 * pod, so only they are hashed, as in the kubelet: a new default in a later version restarts nothing.
 */
export const containerHash = (container: Container): string =>
  createHash('sha256')
    .update(JSON.stringify([container.name, container.image]))
    .digest('hex')
    .slice(0, 16);
