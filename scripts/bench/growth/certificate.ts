import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DOMAIN } from './registrations.ts';

/** Files in PEM. The certificate is its own authority. */
export interface CertificateFiles {
  readonly dir: string;
  readonly key: string;
  readonly certificate: string;
}

/**
 * Makes a certificate for all hosts of the receiver, with the command `openssl`.
 *
 * @returns files in a folder that the caller removes
 */
export function makeCertificate(): CertificateFiles {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-bench-tls-'));
  const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'certificate.pem')];
  const pair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate];
  const names = ['-subj', '/CN=receiver', '-addext', `subjectAltName=DNS:*.${DOMAIN}`];
  execFileSync('openssl', ['req', '-x509', ...pair, ...names, '-days', '2'], { stdio: 'pipe' });
  return { dir, key, certificate };
}
