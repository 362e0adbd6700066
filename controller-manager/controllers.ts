import type { ControllerDeclaration } from './common/context.ts';
import { deploymentController } from './deployment/controller.ts';
import { endpointsController } from './endpoints/controller.ts';
import { endpointSliceController } from './endpointslice/controller.ts';
import { endpointSliceMirroringController } from './endpointslice-mirroring/controller.ts';
import { garbageCollector } from './garbage-collector/controller.ts';
import { jobController } from './job/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import { nodeIpamController } from './node-ipam/controller.ts';
import { nodeLifecycleController } from './node-lifecycle/controller.ts';
import { podCollector } from './pod-gc/controller.ts';
import { replicaSetController } from './replicaset/controller.ts';
import { rootCaPublisher } from './root-ca-publisher/controller.ts';
import { serviceAccountController } from './service-account/controller.ts';
import { taintEvictionController } from './taint-eviction/controller.ts';
import { ttlAfterFinishedController } from './ttl-after-finished/controller.ts';

/** Every controller of this process, in the order in which they are set up. */
export const controllers: readonly ControllerDeclaration[] = [
  serviceAccountController,
  rootCaPublisher,
  nodeIpamController,
  nodeLifecycleController,
  taintEvictionController,
  replicaSetController,
  deploymentController,
  jobController,
  ttlAfterFinishedController,
  podCollector,
  endpointsController,
  endpointSliceController,
  endpointSliceMirroringController,
  namespaceController,
  garbageCollector,
];

/** A `--controllers` value that names nothing. The message is meant for the user. */
export class UnknownControllerError extends Error {
  override name = 'UnknownControllerError';
}

/**
 * The controllers that `--controllers` asks for: `-name` wins over `name`, `name` over `*`.
 * @throws {UnknownControllerError}
 */
export function selectControllers(
  all: readonly ControllerDeclaration[],
  requested: readonly string[],
): ControllerDeclaration[] {
  const named = (declaration: ControllerDeclaration, name: string) =>
    declaration.name === name || (declaration.aliases?.includes(name) ?? false);
  for (const text of requested) {
    const name = text.replace(/^-/, '');
    if (name !== '*' && !all.some((declaration) => named(declaration, name)))
      throw new UnknownControllerError(
        `invalid value for "--controllers" flag: "${name}" is not in the list of known controllers: ${all.map((item) => item.name).join(', ')}`,
      );
  }
  return all.filter((declaration) => {
    if (requested.some((text) => text.startsWith('-') && named(declaration, text.slice(1)))) return false;
    return requested.some((text) => text === '*' || named(declaration, text));
  });
}
