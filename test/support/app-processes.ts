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
  /** Also its INSTANCE. */
  readonly name: string;
  readonly url: string;
  readonly server: Server;
}

export interface AppProcessesOptions {
  /** For their logs. */
  readonly folder: string;
  /** The whole environment of a process, by its name. */
  readonly envOf: (name: string) => NodeJS.ProcessEnv;
  /** For `call`. */
  readonly apiKey: string;
  /** Holds the `dist` they are started from; this checkout when missing. */
  readonly home?: string | undefined;
}

/** The processes of a system's apps, run from the built files: each may be killed, frozen, stopped, started and added. */
export class AppProcesses {
  private readonly list: AppProcess[] = [];

  constructor(private readonly options: AppProcessesOptions) {}

  /** Starts one more process of an app, and waits until it is ready. It is listed from its spawn on. */
  async add(app: AppName, instance = 0): Promise<AppProcess> {
    const { process, ready } = await this.begin(app, instance);
    await ready;
    return process;
  }

  /** As `add`, and waits for nothing: for a process that is not to become ready. `ready` rejects if it does not. */
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

  /** Ends a process as `npm start` would; it is forgotten. */
  async remove(gone: AppProcess): Promise<void> {
    this.list.splice(this.list.indexOf(gone), 1);
    await gone.server.stop();
  }

  /** @throws Error when there is none */
  get(app: AppName, instance = 0): AppProcess {
    const found = this.list.find(({ name }) => name === `${app}-${instance}`);
    if (found === undefined) throw new Error(`no process ${app}-${instance}`);
    return found;
  }

  all(): readonly AppProcess[] {
    return this.list;
  }

  /** Calls an API of the first process that is alive, with the admin key. @throws Error when it does not answer 2xx */
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

  /** The sum of a metric over its labels, as one process tells it. */
  async metric(process: AppProcess, name: string): Promise<number> {
    const text = await (await fetch(`${process.url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.list.map(({ server }) => server.stop()));
  }
}

/** A process was killed: waits until it is gone and starts it anew. */
export async function startAgain({ server, name }: AppProcess): Promise<void> {
  await until(`${name} has ended`, () => !server.isAlive);
  await server.start();
}
