import { createPrivateKey, createPublicKey } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ClusterConfig } from '../config.ts';
import type { Paths } from '../paths.ts';
import { writeAtomically } from '../processes.ts';
import { type KeyPair, problemOf } from './check.ts';
import { identityIn, kubeconfigText } from './kubeconfig.ts';
import { type CertificateSpec, type IdentitySpec, pkiPlan } from './plan.ts';

/** Certificates that cannot be made or used. The message names the file. */
export class PkiError extends Error {
  override name = 'PkiError';
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function writeSecret(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeAtomically(path, text, 0o600);
}

function readSecret(path: string): string | undefined {
  const text = read(path);
  if (text !== undefined && (statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  return text;
}

/**
 * Makes what is missing, expired or wrong of a cluster's certificates, keys and kubeconfigs, and leaves the
 * rest as it is. A CA is never replaced: what it signed would stop working.
 * @returns the files that were made, for the user
 * @throws {PkiError} if a CA is unusable or its key is needed and absent
 */
export async function ensurePki(
  config: ClusterConfig,
  paths: Paths,
  now = Date.now() / 1000,
): Promise<string[]> {
  const plan = pkiPlan(config);
  const made: string[] = [];
  const authorities = new Map<string, KeyPair | { certificate: string; key: undefined }>();
  for (const spec of plan.certificates) {
    const path = join(paths.pki, spec.file);
    const certificate = read(`${path}.crt`);
    const key = readSecret(`${path}.key`);
    const signer = spec.signer ? authorities.get(spec.signer)! : undefined;
    const problem = pairProblem(spec, certificate, key, signer, now);
    if (!spec.signer && certificate !== undefined) {
      if (problem && key !== undefined) throw new PkiError(`${path}.crt: ${problem}`);
      authorities.set(spec.file, { certificate, key } as KeyPair);
      continue;
    }
    if (!problem) continue;
    const pair = await issueWith(spec, signer, spec.signer ? join(paths.pki, spec.signer) : '', now);
    writeSecret(`${path}.key`, pair.key);
    writeAtomically(`${path}.crt`, pair.certificate);
    if (!spec.signer) authorities.set(spec.file, pair);
    made.push(`${spec.file}.crt`);
  }
  if (await ensureTokenKeys(paths)) made.push('sa.key');
  const ca = authorities.get('ca')!;
  for (const identity of plan.identities)
    if (await ensureIdentity(identity, config, paths, ca, now)) made.push(`${identity.file}.conf`);
  return made;
}

function pairProblem(
  spec: CertificateSpec,
  certificate: string | undefined,
  key: string | undefined,
  signer: { certificate: string } | undefined,
  now: number,
): string | undefined {
  if (certificate === undefined || key === undefined) return 'missing';
  return problemOf({ certificate, key }, spec, signer as KeyPair | undefined, now);
}

async function issueWith(
  spec: CertificateSpec,
  signer: { certificate: string; key?: string } | undefined,
  signerPath: string,
  now: number,
): Promise<KeyPair> {
  if (signer && signer.key === undefined)
    throw new PkiError(`${signerPath}.key: missing, needed to sign ${spec.file}.crt`);
  // Loaded here only: making certificates is rare, and the library is large.
  const { issue } = await import('./issue.ts');
  return issue(spec, signer as KeyPair | undefined, now);
}

async function ensureTokenKeys(paths: Paths): Promise<boolean> {
  const privatePath = join(paths.pki, 'sa.key');
  const publicPath = join(paths.pki, 'sa.pub');
  const privateKey = readSecret(privatePath);
  if (privateKey !== undefined) {
    const derived = createPublicKey(createPrivateKey(privateKey)).export({ type: 'spki', format: 'pem' });
    if (read(publicPath)?.trim() !== String(derived).trim()) writeAtomically(publicPath, String(derived));
    return false;
  }
  const { issueTokenKeys } = await import('./issue.ts');
  const keys = await issueTokenKeys();
  writeSecret(privatePath, keys.privateKey);
  writeAtomically(publicPath, keys.publicKey);
  return true;
}

async function ensureIdentity(
  identity: IdentitySpec,
  config: ClusterConfig,
  paths: Paths,
  ca: { certificate: string; key?: string },
  now: number,
): Promise<boolean> {
  const path = paths.kubeconfig(identity.file);
  const server = `https://${config.nodeIP}:${config.ports.apiserver}`;
  const spec: CertificateSpec = { ...identity, signer: 'ca', client: true };
  const existing = await identityIn(readSecret(path));
  const problem = existing && pairProblem(spec, existing.certificate, existing.key, ca, now);
  if (existing && !problem && existing.server === server && existing.ca === ca.certificate) return false;
  // A new address does not need a new certificate.
  const pair =
    existing && !problem
      ? { certificate: existing.certificate, key: existing.key }
      : await issueWith(spec, ca, join(paths.pki, 'ca'), now);
  writeSecret(
    path,
    await kubeconfigText({
      clusterName: config.clusterName,
      user: identity.commonName,
      server,
      ca: ca.certificate,
      ...pair,
      format: identity.file === 'admin' ? 'yaml' : 'json',
    }),
  );
  return true;
}
