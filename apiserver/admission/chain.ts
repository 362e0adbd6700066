import type { Admission, AdmissionAttributes } from '../registry/object-writer.ts';

/** One admission plugin. It may change `object` in place; it throws an {@link ApiError} to refuse. */
export interface AdmissionPlugin {
  /** Kubernetes' name of it, for `--disable-admission-plugins`. */
  name: string;
  admit(attributes: AdmissionAttributes): Promise<void> | void;
}

/**
 * Runs plugins in order; the first that refuses decides.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
 */
export class AdmissionChain implements Admission {
  readonly #plugins: readonly AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#plugins = plugins;
  }

  async admit(attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) {
      const pending = plugin.admit(attributes);
      if (pending) await pending;
    }
  }
}
