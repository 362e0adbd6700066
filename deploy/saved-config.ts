import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { parse, stringify } from 'yaml';
import { type ClusterConfig, ConfigError } from './config.ts';
import type { Paths } from './paths.ts';
import { writeAtomically } from './processes.ts';

/** The configuration that an earlier `up` saved; undefined on a machine without this cluster. */
export function readConfig(paths: Paths): ClusterConfig | undefined {
  if (!existsSync(paths.config)) return undefined;
  const config = parse(readFileSync(paths.config, 'utf8')) as Partial<ClusterConfig> | null;
  if (!config?.clusterName || !config.ports)
    throw new ConfigError(`${paths.config}: not a cluster's configuration`);
  return config as ClusterConfig;
}

/** @throws {ConfigError} if there is no cluster in this data directory */
export function requireConfig(paths: Paths): ClusterConfig {
  const config = readConfig(paths);
  if (!config) throw new ConfigError(`no cluster in ${paths.root}: start one with 'nkube up'`);
  return config;
}

export function writeConfig(paths: Paths, config: ClusterConfig): void {
  const header = '# Written by nkube up; change it with the flags of nkube up.\n';
  writeAtomically(paths.config, header + stringify(config), 0o640);
}

/** The IPv4 address of the interface that leads to the default route, else the first one besides loopback. */
export function defaultNodeIP(): string | undefined {
  const routes = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1);
  const outward = routes.map((line) => line.split('\t')).find((fields) => fields[1] === '00000000')?.[0];
  const candidates = Object.entries(networkInterfaces()).sort(
    ([a], [b]) => Number(b === outward) - Number(a === outward),
  );
  for (const [, addresses] of candidates)
    for (const address of addresses ?? [])
      if (address.family === 'IPv4' && !address.internal) return address.address;
  return undefined;
}

/** Whether an interface of this machine has the address. */
export const isOwnAddress = (address: string): boolean =>
  Object.values(networkInterfaces()).some((list) => list?.some((item) => item.address === address));
