import Module, { createRequire } from 'node:module';
import type Docker from 'dockerode';

/** What dockerode loads at once but only build sessions and SSH transport use: gRPC and SSH, 20 MiB. */
const unused = [
  ['dockerode/lib/docker.js', './session'],
  ['docker-modem/lib/modem.js', './ssh'],
] as const;

function loadDockerode(): typeof Docker {
  const require = createRequire(import.meta.url);
  // docker-modem may be nested below dockerode.
  const from = createRequire(require.resolve('dockerode'));
  for (const [file, dependency] of unused) {
    const path = createRequire(from.resolve(file)).resolve(dependency);
    if (require.cache[path]) continue;
    const stub = new Module(path);
    stub.exports = () => {
      throw new Error(`${dependency} of ${file} is not loaded`);
    };
    stub.loaded = true;
    require.cache[path] = stub;
  }
  return require('dockerode') as typeof Docker;
}

/** A Docker Engine that is not reached by a local socket. */
export class EndpointError extends Error {
  override name = 'EndpointError';
}

/**
 * A client of the engine at `unix:///path`.
 * @throws {EndpointError} for another kind of address
 */
export function connectDocker(endpoint: string): Docker {
  const path = /^unix:\/\/(\/.+)$/.exec(endpoint)?.[1];
  if (!path)
    throw new EndpointError(`container runtime endpoint ${JSON.stringify(endpoint)}: must be unix:///path`);
  const Dockerode = loadDockerode();
  return new Dockerode({ socketPath: path });
}
