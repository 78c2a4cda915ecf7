import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/lib/ports.mjs';
import { identityOf } from '../../scripts/lib/process-identity.mjs';
import type { RunFile } from '../../scripts/lib/run-file.mjs';
import { until } from './until.js';

/** Limit for a start, with a margin: the first start of a checkout builds, and the machine may be busy. */
const START_TIMEOUT_MS = 240_000;
const BACK_TIMEOUT_MS = 90_000;

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

/** A folder and ports for `npm start`, for several runs one after the other. */
export class SystemHome {
  private started: ScriptRun | undefined;

  private constructor(
    readonly folder: string,
    readonly env: NodeJS.ProcessEnv,
  ) {}

  static async create(): Promise<SystemHome> {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-system-'));
    const ports = await Promise.all(PORTS.map(async (name) => [name, String(await freePort())] as const));
    // Without these variables: `npm start` must start its own servers, not use those of this test run.
    const { KAFKA_BROKERS: _brokers, DATABASE_URL: _database, ...env } = process.env;
    return new SystemHome(folder, { ...env, ...Object.fromEntries(ports), POSTHORN_HOME: folder });
  }

  /** Runs an npm script to its end. */
  async runToEnd(
    script: string,
    env: NodeJS.ProcessEnv = {},
    args: readonly string[] = [],
  ): Promise<{ code: number | null; output: string }> {
    const run = new ScriptRun(script, { ...this.env, ...env }, args);
    return { code: await run.ended, output: run.output };
  }

  /** Runs `npm start`. Resolves with its message that the system runs. */
  async start(env: NodeJS.ProcessEnv = {}): Promise<RunningSystem> {
    const script = new ScriptRun('start', { ...this.env, ...env });
    this.started = script;
    const isUp = () => {
      if (script.code !== undefined) throw new Error(`npm start ended:\n${script.output}`);
      return script.output.includes('Ctrl-C stops everything');
    };
    await until('npm start is up', isUp, START_TIMEOUT_MS).catch((error: Error) => {
      throw new Error(`${error.message}; it said:\n${script.output}`);
    });
    return new RunningSystem(this, script);
  }

  /** Stops the last start, also an incomplete one. */
  async stop(): Promise<void> {
    if (this.started === undefined || this.started.code !== undefined) return;
    process.kill(this.started.pid, 'SIGTERM');
    await this.started.ended;
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

  /** The present content of run.json: pids change with restarts. */
  get run(): RunFile {
    return JSON.parse(readFileSync(this.home.file('run.json'), 'utf8'));
  }

  get hasRunFile(): boolean {
    return this.home.has('run.json');
  }

  /** Output of `npm start`. */
  get output(): string {
    return this.script.output;
  }

  /** Calls an API with the API key of this run. */
  async request(url: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const headers = { authorization: `Bearer ${this.run.api_key}`, 'content-type': 'application/json' };
    const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(url, { headers, ...post });
    return { status: response.status, body: await response.json() };
  }

  /** Sends a signal to npm, and waits for the end of npm and all processes of the run. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; tookMs: number }> {
    return this.stopBy(this.script.pid, signal);
  }

  /** Ctrl-C: a terminal sends SIGINT to npm and its children. */
  async stopAtTerminal(): Promise<{ code: number | null; tookMs: number }> {
    return this.stopBy(-this.script.pid, 'SIGINT');
  }

  private async stopBy(pid: number, signal: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }> {
    const pids = Object.values(this.run.pids);
    const since = Date.now();
    process.kill(pid, signal);
    const code = await this.script.ended;
    await until('all processes have ended', () => pids.every((pid) => identityOf(pid) === undefined));
    return { code, tookMs: Date.now() - since };
  }

  /** SIGKILL of one process. The supervisor restarts it; `back` resolves when it is ready. */
  killOne(name: string): { back: Promise<void> } {
    const pid = this.pidOf(name);
    process.kill(pid, 'SIGKILL');
    return { back: this.backAgain(name, pid) };
  }

  /** Kills Kafka or PostgreSQL while `work` runs. Resolves when the server is ready again. */
  async withoutServer(name: string, signal: NodeJS.Signals, work: () => Promise<void>): Promise<void> {
    const pid = this.pidOf(name);
    // A frozen supervisor restarts no process.
    process.kill(this.pidOf('supervisor'), 'SIGSTOP');
    try {
      process.kill(pid, signal);
      await until(`${name} has ended`, () => identityOf(pid) === undefined);
      await work();
    } finally {
      process.kill(this.pidOf('supervisor'), 'SIGCONT');
    }
    await this.backAgain(name, pid);
  }

  private async backAgain(name: string, before: number): Promise<void> {
    const isBack = () => {
      const pid = this.run.pids[name];
      return pid !== before && this.output.includes(`${name} is back (process ${pid})`);
    };
    await until(`${name} is back`, isBack, BACK_TIMEOUT_MS);
  }

  private pidOf(name: string): number {
    const pid = this.run.pids[name];
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  /** SIGKILL of npm, the supervisor, and all its processes. */
  async crash(): Promise<void> {
    const pids = [this.script.pid, ...Object.values(this.run.pids)];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until('all processes have ended', () => pids.every((pid) => identityOf(pid) === undefined));
  }
}

/** One npm script in its own process group, with its output. */
class ScriptRun {
  output = '';
  /** Exit code; undefined while the script runs. */
  code: number | null | undefined;
  readonly ended: Promise<number | null>;
  private readonly process: ChildProcess;

  constructor(script: string, env: NodeJS.ProcessEnv, args: readonly string[] = []) {
    const options = { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true } satisfies SpawnOptions;
    this.process = spawn('npm', ['run', '--silent', script, '--', ...args], options);
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
