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

/** One request as it came and what it was answered. Times in ms since the epoch. */
export interface Hit {
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body, parsed. */
  readonly event: DeliveredEvent;
  /** Undefined while the answer is outstanding, and for ever when the sender broke off. */
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

/** What to answer; `hang` answers nothing for as long as the sender waits. */
export type Script = (hit: Hit, hook: Hook) => Answer | 'hang';

export const ok: Script = () => ({ status: 200 });

/** @param headers sent with it */
export function always(status: number, headers: Readonly<Record<string, string>> = {}): Script {
  return () => ({ status, headers });
}

/** The first answers in turn, then 200. */
export function first(...answers: readonly (Answer | 'hang')[]): Script {
  return (_hit, hook) => answers[hook.hits.length - 1] ?? { status: 200 };
}

/** One path of the receiver, with a script of its own. Its requests stay in the order they came. */
export class Hook {
  readonly hits: Hit[] = [];
  /** Ids of the events that were answered with 2xx. */
  readonly accepted = new Set<string>();
  /** Requests whose answer is outstanding. */
  open = 0;
  private readonly byEvent = new Map<string, Hit[]>();
  /** Told by the API when the endpoint is created. */
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

/** Receives webhooks as a customer would: checks every signature, and keeps all that came. */
export class Receiver {
  /** Requests that were not signed as they should be, and why; always empty when all is well. */
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

  /** A path of its own. */
  hook(script: Script = ok): Hook {
    const path = `/hook-${this.hooks.size + 1}`;
    const hook = new Hook(`http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`, script);
    this.hooks.set(path, hook);
    return hook;
  }

  /** Of all hooks. */
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
    if (hook === undefined) throw new Error('nobody was told this URL');
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
  // The sender was killed meanwhile: it will never know.
  if (response.destroyed) return;
  hit.status = decided.status;
  hit.answeredAt = Date.now();
  if (hit.status >= 200 && hit.status < 300) hook.accepted.add(hit.event.id);
  response.writeHead(decided.status, decided.headers).end();
}
