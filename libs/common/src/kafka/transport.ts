import { BaseRpcContext, type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { KafkaClient } from './port/kafka-client.js';
import type { LogConsumer, LogConsumerOptions } from './port/log-consumer.js';
import type { LogBatch } from './port/owned-log.js';

export interface KafkaTransportOptions extends Omit<LogConsumerOptions, 'topics' | 'onBatch'> {}

/**
 * Nest's transport over {@link LogConsumer}: `@EventPattern('deliveries')` handlers get whole {@link LogBatch}es and hand
 * them over to memory. Nest's own Kafka transport handles and commits record by record, which rules out finishing out of
 * order.
 */
export class KafkaTransport extends Server implements CustomTransportStrategy {
  override readonly propagatesEventHandlerErrors = true;
  private consumer: LogConsumer | undefined;
  private isClosed = false;

  constructor(
    private readonly client: KafkaClient,
    private readonly options: KafkaTransportOptions,
  ) {
    super();
  }

  /** Does nothing after {@link close}: a process may be stopped before its transports listen. */
  listen(callback: (error?: unknown) => void): void {
    if (this.isClosed) {
      callback();
      return;
    }
    this.consumer = this.client.consumer({
      ...this.options,
      topics: [...this.messageHandlers.keys()],
      onBatch: (batch) => this.dispatch(batch),
    });
    this.consumer.start().then(() => callback(), callback);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.consumer?.stop();
  }

  /** For readiness: undefined when records are taken, else why not. */
  problem(): string | undefined {
    return this.consumer === undefined ? 'not started' : this.consumer.problem();
  }

  /** For readiness: the reason why some records wait although the consumer works. */
  warning(): string | undefined {
    return this.consumer?.warning();
  }

  on(): never {
    throw new Error('the Kafka transport has no events; use its ownership listener');
  }

  unwrap<T>(): T {
    return this.consumer as T;
  }

  private async dispatch(batch: LogBatch): Promise<void> {
    const handler = this.messageHandlers.get(batch.log.topic);
    if (handler === undefined) throw new Error(`no handler for topic ${batch.log.topic}`);
    const result: unknown = await handler(batch, new BaseRpcContext([]));
    // Nest turns a handler's exception into a failed stream. Only awaiting it shows the error.
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
  }
}
