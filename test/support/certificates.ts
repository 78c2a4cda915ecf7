import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

/**
 * A certificate authority for tests, made with the openssl command. Only clients that are configured with it trust it.
 * It is kept in memory, so that no folder outlives a call, also when the test never runs.
 */
export class TestAuthority {
  private readonly own = openssl({}, (run) =>
    run('req', '-x509', ...newPair('own.crt'), '-subj', '/CN=test', '-days', '2'),
  );

  get cert(): string {
    return this.own.cert;
  }

  /** @param days days of validity; a negative number makes an expired certificate */
  issue(host: string, days = 1): KeyPair {
    return openssl({ 'ca.key': this.own.key, 'ca.crt': this.own.cert }, (run) => {
      run('req', ...newPair('own.csr'), ...named(host));
      const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-copy_extensions', 'copy', '-days', String(days)];
      run('x509', '-req', '-in', 'own.csr', ...signing, '-out', 'own.crt');
    });
  }

  /** A self-signed certificate. */
  selfSigned(host: string): KeyPair {
    return openssl({}, (run) => run('req', '-x509', ...newPair('own.crt'), ...named(host), '-days', '1'));
  }
}

function newPair(out: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'own.key', '-out', out];
}

function named(host: string): string[] {
  return ['-subj', '/CN=server', '-addext', `subjectAltName=DNS:${host}`];
}

/** Runs openssl in a temporary folder with `files`. @returns the created own.key and own.crt */
function openssl(files: Record<string, string>, make: (run: (...args: string[]) => void) => void): KeyPair {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-ca-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    make((...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' }));
    return { key: readFileSync(join(folder, 'own.key'), 'utf8'), cert: readFileSync(join(folder, 'own.crt'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
