import { join } from 'node:path';
import { execPath } from 'node:process';
import { appService } from '../../scripts/lib/apps.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { Server } from '../../scripts/lib/server.mjs';
import { until } from './until.js';

export type AppName = 'ingest' | 'control' | 'dispatcher' | 'retry-scheduler';

/** One process of an app. */
export interface AppProcess {
  readonly app: AppName;
  /** Name of the process, and its INSTANCE. */
  readonly name: string;
  readonly url: string;
  readonly server: Server;
}

export interface AppProcessesOptions {
  /** Folder of the logs. */
  readonly folder: string;
  /** Makes the environment of a process from its name. */
  readonly envOf: (name: string) => NodeJS.ProcessEnv;
  /** Admin key for `call`. */
  readonly apiKey: string;
  /** Folder of the `dist` that runs; by default this checkout. */
  readonly home?: string | undefined;
}

/** The processes of a system's apps, run from the built files. A test may kill, freeze, stop, start and add each. */
export class AppProcesses {
  private readonly list: AppProcess[] = [];

  constructor(private readonly options: AppProcessesOptions) {}

  /** Starts a further process of an app, and waits until it is ready. The process is listed from its spawn on. */
  async add(app: AppName, instance = 0): Promise<AppProcess> {
    const { process, ready } = await this.begin(app, instance);
    await ready;
    return process;
  }

  /**
   * As `add`, but does not wait: for a process that must not become ready. `ready` rejects when the process ends first.
   */
  async begin(app: AppName, instance = 0): Promise<{ process: AppProcess; ready: Promise<void> }> {
    const { folder, envOf, home } = this.options;
    const port = await freePort();
    const name = `${app}-${instance}`;
    const service = appService({ name: app } as Parameters<typeof appService>[0], {
      node: execPath,
      port,
      env: envOf(name),
      instance,
      ...(home === undefined ? {} : { home }),
    });
    const server = new Server({ ...service, name }, join(folder, `${name}.log`));
    const added = { app, name, url: `http://127.0.0.1:${port}`, server };
    this.list.push(added);
    return { process: added, ready: server.start() };
  }

  /** Stops a process as `npm start` would, and removes it from the list. */
  async remove(gone: AppProcess): Promise<void> {
    this.list.splice(this.list.indexOf(gone), 1);
    await gone.server.stop();
  }

  /** @throws Error without such a process */
  get(app: AppName, instance = 0): AppProcess {
    const found = this.list.find(({ name }) => name === `${app}-${instance}`);
    if (found === undefined) throw new Error(`no process ${app}-${instance}`);
    return found;
  }

  all(): readonly AppProcess[] {
    return this.list;
  }

  /** Calls an API of the first live process, with the admin key. @throws Error for another status than 2xx */
  async call<Body>(
    app: 'ingest' | 'control',
    path: string,
    request: { method?: string; body?: unknown } = {},
  ): Promise<Body> {
    const { method = request.body === undefined ? 'GET' : 'POST', body } = request;
    const called = this.list.find((process) => process.app === app && process.server.isAlive) ?? this.get(app);
    const response = await fetch(`${called.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.options.apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Body;
  }

  /** The sum of a metric over its labels, in one process. */
  async metric(process: AppProcess, name: string): Promise<number> {
    const text = await (await fetch(`${process.url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.list.map(({ server }) => server.stop()));
  }
}

/** Waits for the end of a killed process, and restarts it. */
export async function startAgain({ server, name }: AppProcess): Promise<void> {
  await until(`${name} has ended`, () => !server.isAlive);
  await server.start();
}
