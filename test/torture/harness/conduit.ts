import type { Socket } from 'node:net';
import type { Dialect, Message } from './message.js';

/** The present fault of a link for one connection. */
export interface Trouble {
  /** No bytes pass, in either direction; connections stay open. */
  readonly isFrozen: boolean;
  /** Delay of each message, ms. */
  readonly delayMs: number;
}

export interface ConduitHooks {
  troubleOf(client: string | undefined): Trouble;
  /** @returns the trap of this request; undefined for none */
  trapFor(message: Message, client: string | undefined): SetTrap | undefined;
  onClose(): void;
}

/**
 * The points of a request: before it reaches the server, when it is sent, and when the server has answered. The caller
 * does not get the answer, and its connection is closed.
 */
export type Moment = 'before' | 'sent' | 'answered';

export interface SetTrap {
  readonly moment: Moment;
  readonly spring: () => void;
}

interface Parcel {
  readonly bytes: Buffer;
  readonly to: Socket;
  readonly dueAt: number;
}

/** One connection through a link. */
export class Conduit {
  /** Client name; undefined until a message names it. */
  client: string | undefined;
  /** Whether a request was forwarded since the last answer. */
  isAsking = false;
  /** True after a request whose answer must be dropped. */
  private sprung: { trap: SetTrap; correlation: number | undefined } | undefined;
  private readonly parcels: Parcel[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly near: Socket,
    private readonly far: Socket,
    private readonly dialect: Dialect,
    private readonly hooks: ConduitHooks,
  ) {
    near.setNoDelay(true);
    far.setNoDelay(true);
    near.on('data', (chunk: Buffer) => this.takeRequests(chunk));
    far.on('data', (chunk: Buffer) => this.takeAnswers(chunk));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => this.end());
      one.on('end', () => this.pass(undefined, other));
      one.on('close', () => this.end());
    }
  }

  /** Local port of the caller; undefined for a closed connection. */
  get callerPort(): number | undefined {
    return this.near.remotePort;
  }

  /** Called when the link's fault has changed. */
  review(): void {
    const { isFrozen } = this.hooks.troubleOf(this.client);
    for (const socket of [this.near, this.far]) socket[isFrozen ? 'pause' : 'resume']();
    this.ship();
  }

  end(): void {
    clearTimeout(this.timer);
    this.near.destroy();
    this.far.destroy();
    this.hooks.onClose();
  }

  private takeRequests(chunk: Buffer): void {
    for (const message of this.dialect.requests(chunk)) {
      if (message.client !== undefined && this.client === undefined) {
        this.client = message.client;
        this.review();
      }
      const trap = this.sprung ? undefined : this.hooks.trapFor(message, this.client);
      if (trap?.moment === 'before') {
        trap.spring();
        this.end();
        return;
      }
      if (trap) this.sprung = { trap, correlation: message.correlation };
      this.isAsking = true;
      this.pass(message.bytes, this.far);
      // The same chunk may have further parts of the request.
      if (trap?.moment === 'sent') setImmediate(() => this.springAndEnd(trap));
    }
  }

  private takeAnswers(chunk: Buffer): void {
    for (const answer of this.dialect.answers(chunk)) {
      const { sprung } = this;
      this.isAsking = false;
      if (sprung === undefined || !isFor(sprung.correlation, answer.correlation)) this.pass(answer.bytes, this.near);
      else if (answer.isEnd && sprung.trap.moment === 'answered') {
        this.springAndEnd(sprung.trap);
        return;
      }
    }
  }

  private springAndEnd(trap: SetTrap): void {
    trap.spring();
    this.end();
  }

  /** @param bytes chunk; undefined for the end of the stream */
  private pass(bytes: Buffer | undefined, to: Socket): void {
    const { isFrozen, delayMs } = this.hooks.troubleOf(this.client);
    if (!isFrozen && delayMs === 0 && this.parcels.length === 0) write(bytes, to);
    else {
      this.parcels.push({ bytes: bytes ?? Buffer.alloc(0), to, dueAt: Date.now() + delayMs });
      this.ship();
    }
  }

  /** Sends the chunks that are due, in order. */
  private ship(): void {
    clearTimeout(this.timer);
    if (this.hooks.troubleOf(this.client).isFrozen) return;
    for (;;) {
      const [next] = this.parcels;
      if (next === undefined) return;
      const waitMs = next.dueAt - Date.now();
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.ship(), waitMs);
        return;
      }
      this.parcels.shift();
      write(next.bytes.length === 0 ? undefined : next.bytes, next.to);
    }
  }
}

function write(bytes: Buffer | undefined, to: Socket): void {
  if (to.destroyed || !to.writable) return;
  if (bytes === undefined) to.end();
  else to.write(bytes);
}

/** Finds the request of an answer: Kafka repeats its number; in other protocols answers come in order. */
function isFor(asked: number | undefined, answered: number | undefined): boolean {
  return asked === answered;
}
