import { readFileSync } from 'node:fs';
import { adminClient, apiserverComplaint, dnsComplaint, nodeComplaint } from '../cluster-client.ts';
import { liveProcesses } from '../cluster-processes.ts';
import { componentSpecs } from '../components.ts';
import { type Paths, pathsOf, repository } from '../paths.ts';
import { readPidFile } from '../processes.ts';
import { requireConfig } from '../saved-config.ts';

export interface ComponentStatus {
  name: string;
  pid: number | undefined;
  restarts: number;
  startedAt: string | undefined;
  /** Resident memory, bytes. */
  memoryBytes: number;
  log: string;
}

/** Resident memory of a process in bytes; 0 if it has ended. */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** What runs of a cluster, the supervisor first. */
export function componentStatuses(paths: Paths): ComponentStatus[] {
  const config = requireConfig(paths);
  const names = componentSpecs({ config, paths, node: process.execPath, repository }).map(
    (spec) => spec.name,
  );
  const engine = readPidFile(paths.pidFile('dockerd')) ? (['dockerd'] as const) : [];
  const live = liveProcesses(paths);
  return (['supervisor', ...names, ...engine] as const).map((name) => {
    const record = live.get(name);
    return {
      name,
      pid: record?.pid,
      restarts: record?.restarts ?? 0,
      startedAt: record?.startedAt,
      memoryBytes: record ? residentBytes(record.pid) : 0,
      log: paths.log(name),
    };
  });
}

function age(startedAt: string | undefined): string {
  if (!startedAt) return '-';
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(startedAt)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** Prints processes and health. Returns whether all is well. */
export async function status(options: { dataDir: string; output?: string }): Promise<boolean> {
  const paths = pathsOf(options.dataDir);
  const config = requireConfig(paths);
  const components = componentStatuses(paths);
  const client = await adminClient(paths);
  const apiserver = await apiserverComplaint(client);
  const [node, dns] = await Promise.all([
    apiserver === undefined ? nodeComplaint(client, config) : 'unknown: the API server does not answer',
    dnsComplaint(config),
  ]);
  client.close();
  const stopped = components.filter((item) => item.pid === undefined);
  const well = stopped.length === 0 && apiserver === undefined && node === undefined && dns === undefined;
  if (options.output === 'json') {
    const health = { apiserver: apiserver ?? 'ok', node: node ?? 'ok', dns: dns ?? 'ok' };
    process.stdout.write(
      `${JSON.stringify({ cluster: config.clusterName, node: config.nodeName, well, components, health }, null, 2)}\n`,
    );
    return well;
  }
  const rows = components.map((item) => [
    item.name,
    item.pid === undefined ? 'stopped' : 'running',
    item.pid === undefined ? '-' : String(item.pid),
    String(item.restarts),
    age(item.startedAt),
    item.pid === undefined ? '-' : `${Math.round(item.memoryBytes / 1024 / 1024)}Mi`,
    item.log,
  ]);
  process.stdout.write(table([['PROCESS', 'STATUS', 'PID', 'RESTARTS', 'AGE', 'MEMORY', 'LOG'], ...rows]));
  process.stdout.write(
    `\nAPI server: ${apiserver ?? `ready at https://${config.nodeIP}:${config.ports.apiserver}`}\n` +
      `Node:       ${node ?? `${config.nodeName} is Ready`}\n` +
      `DNS:        ${dns ?? `answers at ${config.clusterDNS}`}\n`,
  );
  return well;
}

/** Left-aligned columns, as kubectl prints them. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]! + 3))).join('')}\n`,
    )
    .join('');
}
