import type { Container, Pod } from '../../api/types/core-v1.ts';
import { ContainerConfigError } from '../environment/config-error.ts';

/**
 * The user a container runs as, in Docker's form; undefined: the image's own.
 * https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
 * @param imageUser the image's `USER`, empty for root
 * @throws {ContainerConfigError} with the kubelet's words, when `runAsNonRoot` does not hold
 */
export function containerUser(pod: Pod, container: Container, imageUser: string): string | undefined {
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const user = own?.runAsUser ?? shared?.runAsUser;
  const group = own?.runAsGroup ?? shared?.runAsGroup;
  const nonRoot = own?.runAsNonRoot ?? shared?.runAsNonRoot ?? false;
  const { name, namespace, uid } = pod.metadata ?? {};
  const where = `(pod: "${name}_${namespace}(${uid})", container: ${container.name})`;
  if (nonRoot) {
    const [imageName = ''] = imageUser.split(':');
    if (user === 0) throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${where}`);
    if (user === undefined && (imageName === '' || imageName === '0' || imageName === 'root'))
      throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${where}`);
    if (user === undefined && !/^\d+$/.test(imageName))
      throw new ContainerConfigError(
        `container has runAsNonRoot and image has non-numeric user (${imageName}), cannot verify user is non-root ${where}`,
      );
  }
  if (user === undefined && group === undefined) return undefined;
  const base = user === undefined ? imageUser.split(':')[0] || '0' : String(user);
  // Without a group of its own a numeric user gets the image's group or the root group, as in Kubernetes.
  return group === undefined ? base : `${base}:${group}`;
}
