/** A container cannot be made from its spec now; the message goes to its waiting state as it is. */
export class ContainerConfigError extends Error {
  override name = 'ContainerConfigError';
}
