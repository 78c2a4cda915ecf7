import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateApiKey } from '#common/api-keys/api-key.js';
import { freePort } from '../../../scripts/lib/ports.mjs';
import { postgresService, postgresUrl } from '../../../scripts/lib/postgres.mjs';
import { Server } from '../../../scripts/lib/server.mjs';
import { type AppName, type AppProcess, AppProcesses } from '../../support/app-processes.js';
import { appSettings } from '../../support/cluster.js';
import { type Brokers, startBrokers } from './brokers.js';
import { DnsStub } from './dns-stub.js';
import { Link } from './link.js';
import { postgresDialect } from './postgres-dialect.js';
import { preloadEnv } from './preload-env.js';
import { Supervised } from './supervised.js';
import { Warden } from './warden.js';

/** Two processes per app, so that one can take over from the other. */
const PROCESSES: readonly (readonly [AppName, number])[] = [
  ['control', 1],
  ['ingest', 0],
  ['ingest', 1],
  ['dispatcher', 0],
  ['dispatcher', 1],
  ['retry-scheduler', 0],
  ['retry-scheduler', 1],
];

interface Parts {
  folder: string;
  /** Name server of the dispatchers. */
  dns: DnsStub;
  brokers: Brokers;
  postgres: Server;
  postgresUrl: string;
  /** Link between the apps and PostgreSQL. */
  postgresLink: Link;
  apps: AppProcesses;
  apiKey: string;
  /** Process ids, including those of the servers. */
  supervised: Supervised;
  /** Further variables of single processes, by name, read when a process is added. */
  envs: Map<string, NodeJS.ProcessEnv>;
  /** Default `SECRET_KEYS` of all processes. */
  secretKeys: string;
}

/**
 * A system for torture: Kafka, PostgreSQL and two processes of each app, with a link between the apps and each server,
 * and a supervisor that restarts ended processes.
 */
export class TortureSystem {
  readonly dns: DnsStub;
  readonly brokers: Brokers;
  readonly postgres: Server;
  readonly postgresUrl: string;
  readonly postgresLink: Link;
  readonly apps: AppProcesses;
  readonly apiKey: string;
  readonly supervised: Supervised;
  readonly envs: Parts['envs'];
  readonly secretKeys: string;
  private readonly folder: string;
  private readonly warden: Warden;

  private constructor(parts: Parts) {
    this.dns = parts.dns;
    this.brokers = parts.brokers;
    this.postgres = parts.postgres;
    this.postgresUrl = parts.postgresUrl;
    this.postgresLink = parts.postgresLink;
    this.apps = parts.apps;
    this.apiKey = parts.apiKey;
    this.supervised = parts.supervised;
    this.envs = parts.envs;
    this.secretKeys = parts.secretKeys;
    this.folder = parts.folder;
    const servers = [this.postgres, ...this.brokers.servers];
    this.warden = Warden.over(this.folder, () =>
      [...servers, ...this.apps.all().map(({ server }) => server)].map(({ pid }) => pid),
    );
  }

  /**
   * @param brokerCount 1 or 3
   * @param home folder of the apps' `dist`; by default this checkout
   */
  static async start(brokerCount: number, home?: string): Promise<TortureSystem> {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-torture-'));
    const postgresPort = await freePort();
    const postgresOptions = { dir: join(folder, 'postgres'), port: postgresPort, isDurable: false };
    const postgres = new Server(postgresService(postgresOptions), join(folder, 'postgres.log'));
    const [brokers, postgresLink] = await Promise.all([
      startBrokers(folder, brokerCount),
      Link.to(postgresPort, postgresDialect),
      postgres.start(),
    ]);
    const apiKey = generateApiKey().text;
    const secretKeys = newSecretKey('test');
    const shared = {
      ...process.env,
      ...appSettings(brokers.proxied, '', apiKey),
      SECRET_KEYS: secretKeys,
      REPLICATION_FACTOR: String(brokerCount),
    };
    const dns = await DnsStub.start();
    const envs = new Map<string, NodeJS.ProcessEnv>();
    const envOf = (name: string) => ({
      ...shared,
      ...preloadEnv(dns.address, clockFile(folder, name)),
      // PostgreSQL's connections have this name, by which the link recognises the client.
      DATABASE_URL: `${postgresUrl({ port: postgresLink.port })}?application_name=${name}`,
      ...envs.get(name),
    });
    const apps = new AppProcesses({ folder, envOf, apiKey, home });
    const supervised = new Supervised(apps);
    const url = postgresUrl({ port: postgresPort });
    const servers = { folder, dns, brokers, postgres, postgresUrl: url, postgresLink };
    const system = new TortureSystem({ ...servers, apps, apiKey, supervised, envs, secretKeys });
    await supervised.add('control', 0);
    await Promise.all(PROCESSES.map(([app, instance]) => supervised.add(app, instance)));
    return system;
  }

  /** Data folder of PostgreSQL. */
  get postgresData(): string {
    return join(this.folder, 'postgres', 'data');
  }

  /** A folder for files of a fault, deleted with the system. */
  file(name: string): string {
    return join(this.folder, name);
  }

  /** Environment for this checkout's scripts, with direct connections to the servers. */
  get scriptEnv(): NodeJS.ProcessEnv {
    const { brokers, postgresUrl: url, secretKeys } = this;
    return { KAFKA_BROKERS: brokers.direct.join(','), DATABASE_URL: url, SECRET_KEYS: secretKeys };
  }

  /** Lines of an app's log. */
  logFile(name: string): string {
    return join(this.folder, `${name}.log`);
  }

  /** Ends all remaining faults. */
  heal(): void {
    this.postgresLink.heal();
    for (const link of this.brokers.links) link.heal();
    this.dns.behave('answer');
  }

  /** Moves the wall clock of one process. */
  moveClock(process: AppProcess, shiftMs: number): void {
    writeFileSync(clockFile(this.folder, process.name), String(shiftMs));
    process.server.child?.signalGroup('SIGWINCH');
  }

  async stop(): Promise<void> {
    this.heal();
    this.supervised.retireAll();
    await this.apps.stop();
    await Promise.all([this.brokers.stop(), this.postgres.stop()]);
    await Promise.all([this.postgresLink.close(), this.dns.stop()]);
    this.warden.release();
    if (!process.env.TORTURE_KEEP)
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** @returns an entry of `SECRET_KEYS` */
export function newSecretKey(id: string): string {
  return `${id}:${randomBytes(32).toString('base64')}`;
}

function clockFile(folder: string, name: string): string {
  return join(folder, `${name}.clock`);
}
