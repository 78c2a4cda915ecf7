import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ReceivedRequest } from '../judge/evidence.js';
import type { Behaviour, HookCounts, ReceiverCommand, ReceiverLine, ReceiverReply } from './receiver-protocol.js';

const PROGRAM = new URL('receiver-process.mjs', import.meta.url);
const REPLY_TIMEOUT_MS = 10_000;

/** Starts the receiver's process, and reads its log. */
export class TortureReceiver {
  private readonly waiting = new Map<number, (reply: ReceiverReply) => void>();
  private commands = 0;

  private constructor(
    private readonly child: ChildProcess,
    private readonly logFile: string,
  ) {
    child.on('message', (reply: ReceiverReply) => {
      this.waiting.get(reply.number)?.(reply);
      this.waiting.delete(reply.number);
    });
  }

  /** @param logFile log of one run, appended to */
  static start(logFile: string): TortureReceiver {
    // Without the test runner's Node options, which do not apply to plain JavaScript.
    return new TortureReceiver(fork(PROGRAM, [logFile], { execArgv: [] }), logFile);
  }

  /** @returns the hook's URL, with its name as path */
  async open(hook: string, behaviour: Behaviour = { kind: 'healthy' }): Promise<string> {
    const { port } = await this.ask({ do: 'open', hook, behaviour });
    return `http://127.0.0.1:${port}/${hook}`;
  }

  /** Sets the behaviour for later requests; `down` also closes open connections. */
  async behave(hook: string, behaviour: Behaviour): Promise<void> {
    await this.ask({ do: 'behave', hook, behaviour });
  }

  /** @param secret signing secret of the hook, `whsec_…` */
  async trust(hook: string, secret: string): Promise<void> {
    await this.ask({ do: 'trust', hook, secret });
  }

  /** Counts by hook. */
  async count(): Promise<Readonly<Record<string, HookCounts>>> {
    return (await this.ask({ do: 'count' })).counts ?? {};
  }

  /**
   * All requests so far.
   *
   * @param endpointIds endpoint ids by hook
   */
  async requests(endpointIds: ReadonlyMap<string, string>): Promise<ReceivedRequest[]> {
    await this.ask({ do: 'flush' });
    return readReceiverLog(readFileSync(this.logFile, 'utf8'), endpointIds);
  }

  async stop(): Promise<void> {
    if (!this.child.connected) return;
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
  }

  /** @throws Error when the process reports one, has ended, or does not answer */
  private async ask(command: ReceiverCommand): Promise<ReceiverReply> {
    const number = ++this.commands;
    const reply = await new Promise<ReceiverReply>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the receiver did not ${command.do}`)), REPLY_TIMEOUT_MS);
      this.waiting.set(number, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.child.send({ number, ...command }, (error) => error && reject(error));
    });
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply;
  }
}

/**
 * Reads the receiver's log.
 *
 * @param text whole lines of JSON
 * @param endpointIds endpoint ids by hook
 * @returns requests in the order of arrival
 * @throws Error for a malformed line, or an unknown hook
 */
export function readReceiverLog(text: string, endpointIds: ReadonlyMap<string, string>): ReceivedRequest[] {
  const requests = new Map<number, ReceivedRequest>();
  const lines = text.split('\n').filter((line) => line !== '');
  for (const [index, line] of lines.entries()) {
    const read: ReceiverLine = JSON.parse(line);
    if (read.kind === 'arrived') requests.set(read.n, arrived(read, index, endpointIds));
    else requests.set(read.n, ended(requests.get(read.n), read, index));
  }
  return [...requests.values()];
}

function arrived(
  line: ReceiverLine & { kind: 'arrived' },
  index: number,
  endpointIds: ReadonlyMap<string, string>,
): ReceivedRequest {
  const endpointId = endpointIds.get(line.hook);
  if (endpointId === undefined) throw new Error(`the receiver has a hook that no endpoint has: ${line.hook}`);
  return {
    arrivedLine: index,
    arrivedAt: line.at,
    endedLine: undefined,
    endedAt: undefined,
    endpointId,
    eventId: line.event_id ?? '',
    resourceId: line.resource_id ?? undefined,
    sequence: line.sequence ?? -1,
    webhookId: line.webhook_id,
    attempt: line.attempt,
    status: undefined,
    isSigned: line.signed,
    isCut: false,
  };
}

function ended(
  request: ReceivedRequest | undefined,
  { at, status, cut, n }: ReceiverLine & { kind: 'ended' },
  index: number,
): ReceivedRequest {
  if (request === undefined) throw new Error(`request ${n} ended before it arrived`);
  return { ...request, endedLine: index, endedAt: at, status: status ?? undefined, isCut: cut };
}
