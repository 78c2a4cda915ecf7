import type { Broker } from './broker.js';
import type { GroupCoordinator } from './group-coordinator.js';
import type { Network } from './network.js';

/** The cluster that a process's Kafka client connects to. */
export interface Cluster {
  readonly broker: Broker;
  readonly network: Network;
  /** Number of partitions of a topic. */
  partitionsOf(topic: string): number;
  coordinator(groupId: string): GroupCoordinator;
  /** Most records of one log in one fetch. */
  readonly maxBatch: number;
}
