import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseApiKey } from '#common/api-keys/api-key.js';
import { RecordSigner } from '#common/security/record-signature.js';
import { Sealer } from '#common/security/sealing.js';
import { itWith } from '../support/tool.js';

describe('deployment', () => {
  itWith('docker-compose', 'docker-compose')('given docker-compose.yml, then it is valid and has every service', () => {
    const { PATH } = process.env;
    const config = spawnSync('docker-compose', ['config', '--services'], { env: { PATH }, encoding: 'utf8' });

    expect({ status: config.status, said: config.stderr }).toEqual({ status: 0, said: '' });
    const apps = ['control', 'dispatcher', 'ingest', 'retry-scheduler'];
    expect(config.stdout.trim().split('\n').sort()).toEqual(
      [...apps, 'echo', 'kafka', 'postgres', 'prometheus'].sort(),
    );
  });

  it('given no secrets in the environment, then the apps accept the defaults of docker-compose.yml', () => {
    const compose = readFileSync('docker-compose.yml', 'utf8');
    const defaultOf = (name: string) => new RegExp(`\\$\\{${name}:-(.+)\\}`).exec(compose)?.[1] ?? '';

    expect(parseApiKey(defaultOf('ADMIN_API_KEY'))).toBeDefined();
    expect(() => new Sealer(defaultOf('SECRET_KEYS'))).not.toThrow();
    expect(new RecordSigner(defaultOf('CONFIG_SIGNING_KEY')).publicKey).toBe(defaultOf('CONFIG_PUBLIC_KEYS'));
  });

  itWith('promtool', 'prometheus')('given prometheus.yml, then promtool accepts it', () => {
    const file = 'deploy/prometheus/prometheus.yml';
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
    expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' });
  });

  it('given the lock file, then it names no registry', () => {
    // Packages of this repository resolve to their folders.
    expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved": "(?!packages\/|web\/)|registry\./);
  });
});
