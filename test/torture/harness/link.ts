import { connect, createServer, type Server, type Socket } from 'node:net';
import { Conduit, type Moment, type SetTrap, type Trouble } from './conduit.js';
import type { Dialect, Message } from './message.js';

export interface LinkFault {
  readonly kind: 'cut' | 'freeze' | 'delay';
  /** Of each message, for `delay`. */
  readonly ms?: number;
  /** Whose connections are meant; all when missing. */
  readonly client?: RegExp;
}

export interface Trap {
  readonly moment: Moment;
  /** Of the message. */
  readonly kind: RegExp;
  readonly topic?: RegExp;
  readonly client?: RegExp;
  /** How often it may go off; once when missing. */
  readonly times?: number;
  /** Least time from one going off to the next. */
  readonly everyMs?: number;
  /** Called when it goes off, before the connection ends. */
  readonly onSprung?: (caller: Caller) => void;
}

/** Whose request a trap went off at. */
export interface Caller {
  /** Undefined where nobody says who he is. */
  readonly name: string | undefined;
  readonly port: number | undefined;
}

/** A trap that was set, and how often it went off. */
export class ArmedTrap {
  fired = 0;
  private lastAt = 0;

  constructor(private readonly trap: Trap) {}

  get isSpent(): boolean {
    return this.fired >= (this.trap.times ?? 1);
  }

  /** @returns undefined when it is not meant */
  meet(message: Message, { name: client, port }: Caller): SetTrap | undefined {
    const { kind, topic, client: whose, moment, everyMs = 0, onSprung } = this.trap;
    if (this.isSpent || Date.now() < this.lastAt + everyMs || !kind.test(message.kind)) return undefined;
    if (whose && !whose.test(client ?? '')) return undefined;
    if (topic && !message.topics.some((name) => topic.test(name))) return undefined;
    this.lastAt = Date.now();
    this.fired++;
    return { moment, spring: () => onSprung?.({ name: client, port }) };
  }
}

const NO_TROUBLE: Trouble = { isFrozen: false, delayMs: 0 };

/**
 * Stands between the apps and one server, and knows whose connection is whose: it can cut, freeze or slow connections, and
 * set traps that go off at a named moment of a request.
 */
export class Link {
  private readonly conduits = new Set<Conduit>();
  private faults: LinkFault[] = [];
  private traps: ArmedTrap[] = [];
  /** Connections that were cut or refused. */
  cuts = 0;

  private constructor(
    private readonly server: Server,
    private readonly targetPort: number,
    private readonly dialect: () => Dialect,
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  /** @param port to listen on; any free one when missing */
  static async to(targetPort: number, dialect: () => Dialect, port = 0): Promise<Link> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return new Link(server, targetPort, dialect);
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the link does not listen');
    return address.port;
  }

  /** Connections that are open, of these clients. */
  open(client = /.*/): number {
    return [...this.conduits].filter((conduit) => client.test(conduit.client ?? '')).length;
  }

  /** Ports of callers who wait for an answer, where one request comes after another. */
  get unanswered(): number[] {
    return [...this.conduits].flatMap(({ isAsking, callerPort }) => (isAsking ? (callerPort ?? []) : []));
  }

  /** @returns ends it */
  impose(fault: LinkFault): () => void {
    this.faults.push(fault);
    for (const conduit of [...this.conduits]) {
      if (!isMeant(fault, conduit.client)) continue;
      if (fault.kind === 'cut') this.cut(conduit);
      else conduit.review();
    }
    return () => this.setFaults(this.faults.filter((other) => other !== fault));
  }

  /** Ends all faults and takes all traps away. */
  heal(): void {
    this.traps = [];
    this.setFaults([]);
  }

  arm(trap: Trap): ArmedTrap {
    const armed = new ArmedTrap(trap);
    this.traps.push(armed);
    return armed;
  }

  disarm(trap: ArmedTrap): void {
    this.traps = this.traps.filter((other) => other !== trap);
  }

  async close(): Promise<void> {
    for (const conduit of [...this.conduits]) conduit.end();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private setFaults(faults: LinkFault[]): void {
    this.faults = faults;
    for (const conduit of this.conduits) conduit.review();
  }

  private accept(near: Socket): void {
    if (this.faults.some((fault) => fault.kind === 'cut' && fault.client === undefined)) {
      this.cuts++;
      near.on('error', () => undefined).resetAndDestroy();
      return;
    }
    const conduit: Conduit = new Conduit(near, connect(this.targetPort, '127.0.0.1'), this.dialect(), {
      troubleOf: (client) => this.troubleOf(conduit, client),
      trapFor: (message, name) => this.trapFor(message, { name, port: near.remotePort }),
      onClose: () => this.conduits.delete(conduit),
    });
    this.conduits.add(conduit);
  }

  private troubleOf(conduit: Conduit, client: string | undefined): Trouble {
    const meant = this.faults.filter((fault) => isMeant(fault, client));
    if (meant.length === 0) return NO_TROUBLE;
    if (meant.some(({ kind }) => kind === 'cut')) {
      this.cut(conduit);
      return NO_TROUBLE;
    }
    const delayMs = Math.max(...meant.map(({ ms = 0 }) => ms));
    return { isFrozen: meant.some(({ kind }) => kind === 'freeze'), delayMs };
  }

  private trapFor(message: Message, caller: Caller): SetTrap | undefined {
    for (const trap of this.traps) {
      const set = trap.meet(message, caller);
      if (set) return set;
    }
    return undefined;
  }

  private cut(conduit: Conduit): void {
    if (this.conduits.delete(conduit)) this.cuts++;
    conduit.end();
  }
}

function isMeant(fault: LinkFault, client: string | undefined): boolean {
  // Who has not said yet who it is will be asked again.
  return fault.client === undefined || (client !== undefined && fault.client.test(client));
}
