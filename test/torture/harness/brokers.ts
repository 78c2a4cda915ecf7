import { join } from 'node:path';
import { kafkaService, newClusterId } from '../../../scripts/lib/kafka.mjs';
import { freePort } from '../../../scripts/lib/ports.mjs';
import { Server } from '../../../scripts/lib/server.mjs';
import { kafkaDialect } from './kafka-dialect.js';
import { Link } from './link.js';

/** Kafka, and the links between the apps and its brokers. */
export interface Brokers {
  readonly servers: readonly Server[];
  /** Folder of each broker; `data` is its storage. */
  readonly homes: readonly string[];
  /** One link per broker. */
  readonly links: readonly Link[];
  /** Direct host:port, for producers and the judge. */
  readonly direct: string[];
  /** host:port of the links, for the apps. */
  readonly proxied: string[];
  stop(): Promise<void>;
}

/** Starts one broker, or a cluster. Each broker advertises its link to the apps. */
export async function startBrokers(folder: string, count: number): Promise<Brokers> {
  const clusterId = newClusterId();
  const controllerPorts = await ports(count);
  const directPorts = await ports(count);
  const proxiedPorts = await ports(count);
  const links = await Promise.all(proxiedPorts.map((port) => Link.to(port, kafkaDialect)));
  const servers = directPorts.map((port, index) => {
    const dir = join(folder, `kafka-${index}`);
    const proxied = { port: proxiedPorts[index] ?? 0, advertisedPort: links[index]?.port ?? 0 };
    const membership = { clusterId, nodeId: index + 1, controllerPorts };
    return new Server(
      { ...kafkaService({ dir, port, proxied, membership }), name: `kafka-${index}` },
      join(dir, 'kafka.log'),
    );
  });
  await Promise.all(servers.map((server) => server.start()));
  return {
    servers,
    homes: directPorts.map((_, index) => join(folder, `kafka-${index}`)),
    links,
    direct: directPorts.map((port) => `127.0.0.1:${port}`),
    proxied: links.map(({ port }) => `127.0.0.1:${port}`),
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
      await Promise.all(links.map((link) => link.close()));
    },
  };
}

function ports(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, () => freePort()));
}
