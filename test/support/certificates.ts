import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A certificate authority of a test's own, made with the openssl command. Not trusted by anybody unless told so. */
export class TestAuthority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'posthorn-ca-'));
  readonly cert: string;

  constructor() {
    this.openssl('req', '-x509', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test', '-days', '2');
    this.cert = this.read('ca.crt');
  }

  /** @param days may be negative: the certificate has then expired */
  issue(host: string, days = 1): KeyPair {
    const subject = ['-subj', '/CN=server', '-addext', `subjectAltName=DNS:${host}`];
    this.openssl('req', ...NEW_KEY, '-keyout', 'server.key', '-out', 'server.csr', ...subject);
    const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-copy_extensions', 'copy', '-days', String(days)];
    this.openssl('x509', '-req', '-in', 'server.csr', ...signing, '-out', 'server.crt');
    return { key: this.read('server.key'), cert: this.read('server.crt') };
  }

  /** A certificate signed by nobody but itself. */
  selfSigned(host: string): KeyPair {
    const subject = ['-subj', '/CN=server', '-addext', `subjectAltName=DNS:${host}`];
    this.openssl('req', '-x509', ...NEW_KEY, '-keyout', 'self.key', '-out', 'self.crt', ...subject, '-days', '1');
    return { key: this.read('self.key'), cert: this.read('self.crt') };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  private read(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8');
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'pipe' });
  }
}
