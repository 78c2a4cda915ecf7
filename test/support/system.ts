import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/lib/ports.mjs';
import { identityOf } from '../../scripts/lib/process-identity.mjs';
import type { RunFile } from '../../scripts/lib/run-file.mjs';
import { until } from './until.js';

const START_TIMEOUT_MS = 120_000;

const PORTS = [
  'INGEST_PORT',
  'CONTROL_PORT',
  'DISPATCHER_PORT',
  'RETRY_SCHEDULER_PORT',
  'ECHO_PORT',
  'KAFKA_PORT',
  'KAFKA_CONTROLLER_PORT',
  'POSTGRES_PORT',
] as const;

/** A folder and ports for `npm start`; one run after another may use them. */
export class SystemHome {
  private constructor(
    readonly folder: string,
    readonly env: NodeJS.ProcessEnv,
  ) {}

  static async create(): Promise<SystemHome> {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-system-'));
    const ports = await Promise.all(PORTS.map(async (name) => [name, String(await freePort())] as const));
    // The servers of this test run must not be taken for ones that are to be used.
    const { KAFKA_BROKERS: _brokers, DATABASE_URL: _database, ...env } = process.env;
    return new SystemHome(folder, { ...env, ...Object.fromEntries(ports), POSTHORN_HOME: folder });
  }

  /** Runs an npm script that is expected to end by itself. */
  async runToEnd(
    script: string,
    env: NodeJS.ProcessEnv = {},
    args: readonly string[] = [],
  ): Promise<{ code: number | null; output: string }> {
    const run = new ScriptRun(script, { ...this.env, ...env }, args);
    return { code: await run.ended, output: run.output };
  }

  /** `npm start`; resolves when it says that it runs. */
  async start(env: NodeJS.ProcessEnv = {}): Promise<RunningSystem> {
    const script = new ScriptRun('start', { ...this.env, ...env });
    const isUp = () => {
      if (script.code !== undefined) throw new Error(`npm start ended:\n${script.output}`);
      return script.output.includes('Ctrl-C stops everything');
    };
    await until(`npm start is up; it said:\n${script.output}`, isUp, START_TIMEOUT_MS);
    return new RunningSystem(this, script);
  }

  has(name: string): boolean {
    return existsSync(this.file(name));
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

export class RunningSystem {
  constructor(
    private readonly home: SystemHome,
    private readonly script: ScriptRun,
  ) {}

  /** As run.json says now: pids change when an app starts again. */
  get run(): RunFile {
    return JSON.parse(readFileSync(this.home.file('run.json'), 'utf8'));
  }

  get hasRunFile(): boolean {
    return this.home.has('run.json');
  }

  /** What npm start printed so far. */
  get output(): string {
    return this.script.output;
  }

  /** With the API key of this run. */
  async request(url: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const headers = { authorization: `Bearer ${this.run.api_key}`, 'content-type': 'application/json' };
    const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(url, { headers, ...post });
    return { status: response.status, body: await response.json() };
  }

  /** Sends a signal to npm and waits until it and every process of the run have ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; tookMs: number }> {
    const pids = Object.values(this.run.pids);
    const since = Date.now();
    process.kill(this.script.pid, signal);
    const code = await this.script.ended;
    await until('all processes have ended', () => pids.every((pid) => identityOf(pid) === undefined));
    return { code, tookMs: Date.now() - since };
  }

  /** kill -9 of npm, of the supervisor, and of every process it started. */
  async crash(): Promise<void> {
    const pids = [this.script.pid, ...Object.values(this.run.pids)];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until('all processes have ended', () => pids.every((pid) => identityOf(pid) === undefined));
  }
}

/** One npm script and what it printed. */
class ScriptRun {
  output = '';
  /** Undefined while it runs. */
  code: number | null | undefined;
  readonly ended: Promise<number | null>;
  private readonly process: ChildProcess;

  constructor(script: string, env: NodeJS.ProcessEnv, args: readonly string[] = []) {
    this.process = spawn('npm', ['run', '--silent', script, '--', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code) => {
        this.code = code;
        resolve(code);
      });
    });
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error('npm could not be run');
    return this.process.pid;
  }
}
