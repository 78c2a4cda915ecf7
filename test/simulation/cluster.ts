import type { Broker } from './broker.js';
import type { GroupCoordinator } from './group-coordinator.js';
import type { Network } from './network.js';

/** What a process's Kafka client reaches. */
export interface Cluster {
  readonly broker: Broker;
  readonly network: Network;
  /** How many partitions a topic has. */
  partitionsOf(topic: string): number;
  coordinator(groupId: string): GroupCoordinator;
  /** Most records of one log in one fetch. */
  readonly maxBatch: number;
}
