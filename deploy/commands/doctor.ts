import { readFileSync } from 'node:fs';
import { adminClient, apiserverComplaint, dnsComplaint, nodeComplaint } from '../cluster-client.ts';
import { type ClusterConfig, completeConfig } from '../config.ts';
import { type Paths, pathsOf } from '../paths.ts';
import { preflightProblems } from '../preflight/checks.ts';
import { gatherFacts } from '../preflight/facts.ts';
import { run } from '../run.ts';
import { defaultNodeIP, isOwnAddress, readConfig } from '../saved-config.ts';
import { componentStatuses } from './status.ts';

/** Prints what is wrong with the machine and the cluster, and what to do. Returns whether nothing is. */
export async function doctor(options: { dataDir: string }): Promise<boolean> {
  const paths = pathsOf(options.dataDir);
  const saved = readConfig(paths);
  const config = saved ?? completeConfig({}, undefined, { hostname: 'node', nodeIP: defaultNodeIP() });
  const findings: string[] = [];
  const facts = await gatherFacts({
    config,
    dataDir: paths.root,
    ports: saved ? [] : Object.values(config.ports),
    ownsRoutes: saved !== undefined,
  });
  for (const problem of preflightProblems(facts, config))
    if (saved || problem.name !== 'Hostname') findings.push(`${problem.message}\n    ${problem.remedy}`);
  if (saved) findings.push(...(await clusterFindings(saved, paths)));
  else process.stdout.write(`No cluster in ${paths.root}; looked at the machine only.\n`);
  if (findings.length === 0) process.stdout.write('Nothing is wrong.\n');
  for (const finding of findings) process.stdout.write(`- ${finding}\n`);
  return findings.length === 0;
}

async function clusterFindings(config: ClusterConfig, paths: Paths): Promise<string[]> {
  const findings: string[] = [];
  if (!isOwnAddress(config.nodeIP))
    findings.push(
      `no interface has the node's address ${config.nodeIP} any more\n    'nkube down' and 'nkube up' take the new one over`,
    );
  for (const item of componentStatuses(paths)) {
    if (item.pid === undefined)
      findings.push(`${item.name} does not run: 'nkube up' starts it\n    ${lastWords(item.log)}`);
    else if (item.restarts > 2)
      findings.push(`${item.name} was started again ${item.restarts} times\n    ${lastWords(item.log)}`);
  }
  const route = await run('ip', ['-4', 'route', 'show', 'table', 'local', config.serviceCIDR]);
  if (route.code === 0 && route.stdout.trim() === '')
    findings.push(
      `the local route to ${config.serviceCIDR} is missing\n    the proxy makes it: ${lastWords(paths.log('proxy'))}`,
    );
  const client = await adminClient(paths);
  const apiserver = await apiserverComplaint(client);
  if (apiserver) findings.push(`the API server is not ready: ${apiserver}`);
  else {
    const node = await nodeComplaint(client, config);
    if (node) findings.push(node);
  }
  client.close();
  const dns = await dnsComplaint(config);
  if (dns) findings.push(dns);
  return findings;
}

function lastWords(path: string): string {
  try {
    return `${path} ends with: ${readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)}`;
  } catch {
    return `${path} cannot be read`;
  }
}
