import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { FlagValues } from '../api/flags.ts';
import { bytes, isQuantity, milliCPU } from '../api/quantity.ts';
import type { Taint } from '../api/types/core-v1.ts';
import { FlagValueError, type flags } from './flags.ts';
import { defaultNodeIP } from './node/node-facts.ts';
import type { SystemReserved } from './node/node-status.ts';

/** What the flags say, checked. */
export interface KubeletSettings {
  nodeName: string;
  nodeIP: string;
  labels: Record<string, string>;
  taints: Taint[];
  reserved: SystemReserved;
  tls?: { cert: string; key: string; clientCA: string };
}

const effects = new Set(['NoSchedule', 'PreferNoSchedule', 'NoExecute']);

function parsePairs(flag: string, items: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const at = item.indexOf('=');
      if (at < 1)
        throw new FlagValueError(
          `invalid argument ${JSON.stringify(item)} for "--${flag}" flag: must be key=value`,
        );
      return [item.slice(0, at), item.slice(at + 1)];
    }),
  );
}

/** `key=value:effect`, `key:effect`. */
export function parseTaint(text: string): Taint {
  const match = /^([^=:]+)(?:=([^:]*))?:(\w+)$/.exec(text);
  if (!match || !effects.has(match[3]!))
    throw new FlagValueError(
      `invalid argument ${JSON.stringify(text)} for "--register-with-taints" flag: must be key=value:effect`,
    );
  return { key: match[1]!, ...(match[2] && { value: match[2] }), effect: match[3]! };
}

function parseReserved(items: readonly string[]): SystemReserved {
  const pairs = parsePairs('system-reserved', items);
  for (const [resource, quantity] of Object.entries(pairs))
    if (!['cpu', 'memory', 'ephemeral-storage', 'pid'].includes(resource) || !isQuantity(quantity))
      throw new FlagValueError(`invalid argument "${resource}=${quantity}" for "--system-reserved" flag`);
  return {
    milliCPU: milliCPU(pairs.cpu),
    memoryBytes: bytes(pairs.memory),
    ephemeralStorageBytes: bytes(pairs['ephemeral-storage']),
  };
}

function readTLS(values: FlagValues<typeof flags>): KubeletSettings['tls'] {
  const names = ['tls-cert-file', 'tls-private-key-file', 'client-ca-file'] as const;
  const given = names.filter((name) => values[name]);
  if (given.length === 0) return undefined;
  const [cert, key, clientCA] = names.map((name) => {
    const path = values[name];
    if (!path) throw new FlagValueError(`--${name} is required with --${given.join(' and --')}`);
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new FlagValueError(`--${name}: ${(error as Error).message}`);
    }
  });
  return { cert: cert!, key: key!, clientCA: clientCA! };
}

/**
 * Turns flags into settings.
 * @throws {FlagValueError} naming the flag
 */
export function readSettings(values: FlagValues<typeof flags>): KubeletSettings {
  const tls = readTLS(values);
  return {
    nodeName: (values['hostname-override'] ?? hostname()).trim().toLowerCase(),
    nodeIP: values['node-ip'] ?? defaultNodeIP(),
    labels: parsePairs('node-labels', values['node-labels']),
    taints: values['register-with-taints'].map(parseTaint),
    reserved: parseReserved(values['system-reserved']),
    ...(tls && { tls }),
  };
}
