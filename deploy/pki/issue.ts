import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { KeyPair } from './check.ts';
import { type CertificateSpec, lifetimes } from './plan.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const pem = (label: string, der: ArrayBuffer): string => x509.PemConverter.encode(der, label).concat('\n');

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', key));
}

async function importKey(text: string): Promise<webcrypto.CryptoKey> {
  // Through node:crypto, so that keys made by other tools (SEC1, "BEGIN EC PRIVATE KEY") work too.
  const key = createPrivateKey(text);
  const { namedCurve } = (key.asymmetricKeyDetails ?? {}) as { namedCurve?: string };
  const parameters =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: namedCurve === 'secp384r1' ? 'P-384' : 'P-256' };
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), parameters, false, ['sign']);
}

const quoted = (text: string) => text.replace(/([,+"\\<>;=#])/g, '\\$1');

/**
 * Makes a key and a certificate for it, signed by `signer`, or by itself for a CA.
 * @param now seconds since 1970
 */
export async function issue(
  spec: CertificateSpec,
  signer: KeyPair | undefined,
  now: number,
): Promise<KeyPair> {
  const keys = await newKeys();
  const authority = signer && new x509.X509Certificate(signer.certificate);
  const seconds = signer ? lifetimes.leaf : lifetimes.ca;
  const usages = [
    ...(spec.server ? [x509.ExtendedKeyUsage.serverAuth] : []),
    ...(spec.client ? [x509.ExtendedKeyUsage.clientAuth] : []),
  ];
  const names: x509.JsonGeneralNames = [
    ...(spec.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(spec.addresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const subject = `${spec.organization ? `O=${quoted(spec.organization)}, ` : ''}CN=${quoted(spec.commonName)}`;
  // The top bit stays clear: RFC 5280 4.1.2.2 wants a positive serial.
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x01;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial.toString('hex'),
    subject,
    issuer: authority?.subject ?? subject,
    // Nodes whose clocks are a little behind must accept it too.
    notBefore: new Date((now - 300) * 1000),
    notAfter: new Date((now + seconds) * 1000),
    publicKey: keys.publicKey,
    signingKey: signer ? await importKey(signer.key) : keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(!signer, undefined, true),
      new x509.KeyUsagesExtension(
        signer
          ? x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment
          : x509.KeyUsageFlags.digitalSignature |
              x509.KeyUsageFlags.keyEncipherment |
              x509.KeyUsageFlags.keyCertSign,
        true,
      ),
      ...(usages.length ? [new x509.ExtendedKeyUsageExtension(usages)] : []),
      ...(names.length ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(authority ? [await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey)] : []),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey) };
}

/** The key pair with which service account tokens are signed and verified. */
export async function issueTokenKeys(): Promise<{ publicKey: string; privateKey: string }> {
  const keys = await newKeys();
  return {
    publicKey: pem('PUBLIC KEY', await webcrypto.subtle.exportKey('spki', keys.publicKey)),
    privateKey: await exportKey(keys.privateKey),
  };
}
