import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type CertificateSpec, lifetimes } from './plan.ts';

/** A certificate and its private key, PEM. */
export interface KeyPair {
  certificate: string;
  key: string;
}

/**
 * Why a certificate cannot stay; undefined if it can.
 * @param now seconds since 1970
 */
export function problemOf(
  pair: KeyPair,
  spec: CertificateSpec,
  signer: KeyPair | undefined,
  now: number,
): string | undefined {
  let certificate: X509Certificate;
  let privateKey: ReturnType<typeof createPrivateKey>;
  try {
    certificate = new X509Certificate(pair.certificate);
    privateKey = createPrivateKey(pair.key);
  } catch (error) {
    return `unreadable: ${(error as Error).message}`;
  }
  if (!certificate.checkPrivateKey(privateKey)) return 'does not belong to its key';
  const left = Date.parse(certificate.validTo) / 1000 - now;
  if (left < lifetimes.renewBefore) return `expires ${certificate.validTo}`;
  if (signer) {
    const authority = new X509Certificate(signer.certificate);
    if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey))
      return 'is not signed by its CA';
  } else if (!certificate.ca) return 'is not a CA';
  const subject = certificate.subject.split('\n');
  for (const part of [`CN=${spec.commonName}`, ...(spec.organization ? [`O=${spec.organization}`] : [])])
    if (!subject.includes(part)) return `lacks the subject ${part}`;
  const names = (certificate.subjectAltName ?? '').split(', ');
  for (const name of [
    ...(spec.dnsNames ?? []).map((dns) => `DNS:${dns}`),
    ...(spec.addresses ?? []).map((address) => `IP Address:${address}`),
  ])
    if (!names.includes(name)) return `lacks the name ${name}`;
  return undefined;
}
