import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';

/** One request and its response. Times in ms since the epoch. */
export interface Hit {
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body, parsed. */
  readonly event: DeliveredEvent;
  /** Time of the response; undefined while in flight, and when the sender closed the connection. */
  status: number | undefined;
  answeredAt: number | undefined;
}

export interface DeliveredEvent {
  readonly id: string;
  readonly type: string;
  readonly occurred_at: string;
  readonly sequence: number;
  readonly resource_id: string | null;
  readonly data?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly afterMs?: number;
}

/** The response; `hang` never answers. */
export type Script = (hit: Hit, hook: Hook) => Answer | 'hang';

export const ok: Script = () => ({ status: 200 });

/** @param headers headers of the response */
export function always(status: number, headers: Readonly<Record<string, string>> = {}): Script {
  return () => ({ status, headers });
}

/** Gives these responses in turn, then 200. */
export function first(...answers: readonly (Answer | 'hang')[]): Script {
  return (_hit, hook) => answers[hook.hits.length - 1] ?? { status: 200 };
}

/** One path of the receiver, with its own script. Keeps its requests in the order of arrival. */
export class Hook {
  readonly hits: Hit[] = [];
  /** Ids of events that were answered 2xx. */
  readonly accepted = new Set<string>();
  /** Requests in flight. */
  open = 0;
  private readonly byEvent = new Map<string, Hit[]>();
  /** Sets the signing secret, which the API returns with the new endpoint. */
  secret: string | undefined;

  constructor(
    readonly url: string,
    public script: Script,
  ) {}

  take(hit: Hit): void {
    this.hits.push(hit);
    this.byEvent.set(hit.event.id, [...this.hitsOf(hit.event.id), hit]);
  }

  hitsOf(eventId: string): Hit[] {
    return this.byEvent.get(eventId) ?? [];
  }
}

/** Receives webhooks as a customer would: verifies every signature, and keeps all requests. */
export class Receiver {
  /** Requests with an invalid signature, and the reason. Must stay empty. */
  readonly forged: string[] = [];
  private readonly hooks = new Map<string, Hook>();

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => {
      this.take(request, response).catch((error: unknown) => {
        this.forged.push(`${request.url}: ${error}`);
        response.writeHead(400).end();
      });
    });
  }

  static async start(): Promise<Receiver> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Receiver(server);
  }

  /** Adds a path with its own script. */
  hook(script: Script = ok): Hook {
    const path = `/hook-${this.hooks.size + 1}`;
    const hook = new Hook(`http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`, script);
    this.hooks.set(path, hook);
    return hook;
  }

  /** Requests of all hooks. */
  get hits(): Hit[] {
    return [...this.hooks.values()].flatMap((hook) => hook.hits);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = Date.now();
    const hook = this.hooks.get(request.url ?? '');
    if (hook === undefined) throw new Error('this URL belongs to no hook');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    new Webhook(hook.secret ?? '').verify(body, request.headers as Record<string, string>);
    const hit: Hit = {
      at,
      headers: request.headers,
      body,
      event: JSON.parse(body),
      status: undefined,
      answeredAt: undefined,
    };
    hook.take(hit);
    hook.open++;
    await answer(hook, hit, response).finally(() => hook.open--);
  }
}

async function answer(hook: Hook, hit: Hit, response: ServerResponse): Promise<void> {
  const decided = hook.script(hit, hook);
  if (decided === 'hang') return void (await once(response, 'close'));
  if (decided.afterMs !== undefined) await delay(decided.afterMs);
  // The sender was killed: no response can reach it.
  if (response.destroyed) return;
  hit.status = decided.status;
  hit.answeredAt = Date.now();
  if (hit.status >= 200 && hit.status < 300) hook.accepted.add(hit.event.id);
  response.writeHead(decided.status, decided.headers).end();
}
