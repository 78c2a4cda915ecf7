import type { Dispatcher } from 'undici';
import type { AttemptError, AttemptResult } from '../domain/verdict.js';
import { classifyFailure } from './attempt-error.js';
import type { PostGroup } from './post-group.js';
import { MAX_CAPTURED_BYTES, type SendResult } from './send-result.js';
import type { UnreadAnswers } from './unread-answers.js';

export interface PostHandlerOptions {
  readonly timeoutMs: number;
  /** The group that can end the request. */
  readonly group: PostGroup | undefined;
  /** Where the answer is counted that is read on after the result. */
  readonly unread: UnreadAnswers;
}

/**
 * Bytes of an answer that are read: more than are kept. Reading a short answer to its end saves the connection, and with it
 * a TLS handshake; no caller waits for it.
 */
const MAX_READ_BYTES = 65_536;

/** Most informational responses before the final one (RFC 9110, 15.2). Without a limit an endpoint could send them at full speed. */
const MAX_INFORMATIONAL = 16;

const NO_BYTES = Buffer.alloc(0);

/** How a request ended; without an error there was a status. */
interface Ending {
  readonly error: AttemptError | undefined;
  readonly detail: string | undefined;
}

const WHOLE: Ending = { error: undefined, detail: undefined };
const TALKATIVE: Ending = { error: 'bad_response', detail: 'too_many_informational' };
const BROKEN_OFF: Ending = { error: undefined, detail: 'body_incomplete' };

/** Ends a request without a waiting caller. */
class SettledError extends Error {}

/**
 * Follows one request to its result, which is given exactly once: when the answer ends, breaks off or exceeds the kept
 * bytes; at the deadline; or when its group is aborted. A received status is the result, whatever happens to the body.
 */
export class PostHandler implements Dispatcher.DispatchHandler {
  bagIndex = 0;
  private readonly startedAt = performance.now();
  private readonly timer: NodeJS.Timeout;
  private readonly group: PostGroup | undefined;
  private readonly unread: UnreadAnswers;
  private controller: Dispatcher.DispatchController | undefined;
  private informational = 0;
  private status: number | undefined;
  private retryAfter: string | undefined;
  private captured = NO_BYTES;
  private readBytes = 0;
  private settled = false;

  constructor(
    private readonly resolve: (result: SendResult) => void,
    { timeoutMs, group, unread }: PostHandlerOptions,
  ) {
    this.group = group;
    this.unread = unread;
    this.timer = setTimeout(this.onDeadline, timeoutMs);
    if (group?.isAborted) this.abort();
    else group?.add(this);
  }

  get isSettled(): boolean {
    return this.settled;
  }

  abort(): void {
    this.stop({ error: 'aborted', detail: undefined });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown, not aborted: that drops the request alone and leaves the fresh connection to the next one.
    if (this.settled) throw new SettledError();
    this.controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status < 200) {
      if (++this.informational > MAX_INFORMATIONAL) this.stop(TALKATIVE);
      return;
    }
    this.status = status;
    const retryAfter = headers['retry-after'];
    this.retryAfter = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.readBytes += chunk.length;
    const wanted = MAX_CAPTURED_BYTES - this.captured.length;
    // Copied, because a chunk is a window on a socket buffer of 64 KiB that it would keep alive.
    if (wanted > 0) this.captured = Buffer.concat([this.captured, chunk.subarray(0, wanted)]);
    if (this.captured.length < MAX_CAPTURED_BYTES) return;
    if (!this.settled) {
      this.settle(WHOLE);
      this.unread.add(this);
    }
    if (this.readBytes > MAX_READ_BYTES) this.stop(WHOLE);
  }

  onResponseEnd(): void {
    this.end(WHOLE);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.end(this.status === undefined ? classifyFailure(error) : BROKEN_OFF);
  }

  private readonly onDeadline = (): void => {
    this.stop({ error: 'timeout', detail: this.controller ? 'response' : 'connect' });
  };

  /** Ends a request that is still under way, and its connection with it. */
  private stop(ending: Ending): void {
    this.end(this.status === undefined ? ending : BROKEN_OFF);
    this.controller?.abort(new SettledError());
  }

  private end(ending: Ending): void {
    clearTimeout(this.timer);
    this.group?.delete(this);
    this.unread.delete(this);
    this.settle(ending);
  }

  private settle(ending: Ending): void {
    if (this.settled) return;
    this.settled = true;
    this.resolve({
      result: this.result(ending.error ?? 'connection_error'),
      statusCode: this.status,
      errorDetail: ending.detail,
      responseBody: this.captured,
      durationMs: performance.now() - this.startedAt,
      isOurFault: false,
    });
  }

  private result(error: AttemptError): AttemptResult {
    const { status, retryAfter } = this;
    return status === undefined ? { kind: 'failure', error } : { kind: 'response', status, retryAfter };
  }
}
