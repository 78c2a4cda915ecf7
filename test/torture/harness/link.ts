import { connect, createServer, type Server, type Socket } from 'node:net';
import { Conduit, type Moment, type SetTrap, type Trouble } from './conduit.js';
import type { Dialect, Message } from './message.js';

export interface LinkFault {
  readonly kind: 'cut' | 'freeze' | 'delay';
  /** Delay of each message, for `delay`. */
  readonly ms?: number;
  /** Clients whose connections the fault affects; by default all. */
  readonly client?: RegExp;
}

export interface Trap {
  readonly moment: Moment;
  /** Kind of the message. */
  readonly kind: RegExp;
  readonly topic?: RegExp;
  readonly client?: RegExp;
  /** Most times that the trap fires; by default once. */
  readonly times?: number;
  /** Least time between two firings. */
  readonly everyMs?: number;
  /** Called when the trap fires, before the connection is closed. */
  readonly onSprung?: (caller: Caller) => void;
}

/** The request at which a trap fired. */
export interface Caller {
  /** Client name; undefined in protocols without one. */
  readonly name: string | undefined;
  readonly port: number | undefined;
}

/** A trap, and the number of times it fired. */
export class ArmedTrap {
  fired = 0;
  private lastAt = 0;

  constructor(private readonly trap: Trap) {}

  get isSpent(): boolean {
    return this.fired >= (this.trap.times ?? 1);
  }

  /** @returns undefined when the trap does not apply */
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
 * A proxy between the apps and one server that knows the client of each connection. It can cut, freeze or delay
 * connections, and set traps that fire at a given point of a request.
 */
export class Link {
  private readonly conduits = new Set<Conduit>();
  private faults: LinkFault[] = [];
  private traps: ArmedTrap[] = [];
  /** Number of connections that were cut or refused. */
  cuts = 0;

  private constructor(
    private readonly server: Server,
    private readonly targetPort: number,
    private readonly dialect: () => Dialect,
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  /** @param port port to listen on; by default a free one */
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

  /** Number of open connections of these clients. */
  open(client = /.*/): number {
    return [...this.conduits].filter((conduit) => client.test(conduit.client ?? '')).length;
  }

  /** Local ports of callers with a request in flight, for protocols with one request at a time. */
  get unanswered(): number[] {
    return [...this.conduits].flatMap(({ isAsking, callerPort }) => (isAsking ? (callerPort ?? []) : []));
  }

  /** @returns function that ends the fault */
  impose(fault: LinkFault): () => void {
    this.faults.push(fault);
    for (const conduit of [...this.conduits]) {
      if (!isMeant(fault, conduit.client)) continue;
      if (fault.kind === 'cut') this.cut(conduit);
      else conduit.review();
    }
    return () => this.setFaults(this.faults.filter((other) => other !== fault));
  }

  /** Ends all faults and removes all traps. */
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
  // A connection without a known client is checked again with its next message.
  return fault.client === undefined || (client !== undefined && fault.client.test(client));
}
