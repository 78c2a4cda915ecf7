import { randomBytes } from 'node:crypto';
import { DiscoveryModule, DiscoveryService, MetadataScanner, NestFactory, Reflector } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { NO_KEY_NEEDED } from '#common/access/no-key-needed.js';
import { loadConfig } from '#common/config/env.js';
import { SCOPE } from '#common/http/api-key.guard.js';
import { AppModule } from './app.module.js';
import { configSchema } from './config.js';
import { createHttpAdapter } from './http-adapter.js';
import { ProjectorConsumer } from './projector/projector.consumer.js';

const config = loadConfig(configSchema, {
  KAFKA_BROKERS: '127.0.0.1:1',
  DATABASE_URL: 'postgres://127.0.0.1:1/none',
  SECRET_KEYS: `k1:${randomBytes(32).toString('base64')}`,
  LOG_LEVEL: 'silent',
});

interface Route {
  readonly name: string;
  readonly scope: unknown;
  readonly isOpen: boolean;
}

/** Every handler of a controller that serves HTTP. The app is created, not started: no server is reached. */
async function routes(): Promise<Route[]> {
  const module = { module: class Root {}, imports: [AppModule.forConfig(config), DiscoveryModule] };
  const app = await NestFactory.create<NestFastifyApplication>(module, createHttpAdapter(), { logger: false });
  const [scanner, reflector] = [new MetadataScanner(), new Reflector()];
  return app
    .get(DiscoveryService)
    .getControllers()
    .filter(({ metatype }) => metatype !== ProjectorConsumer)
    .flatMap(({ metatype, instance }) =>
      scanner.getAllMethodNames(Object.getPrototypeOf(instance)).map((method): Route => {
        const targets = [instance[method], metatype as NonNullable<typeof metatype>];
        return {
          name: `${metatype?.name}.${method}`,
          scope: reflector.getAllAndOverride(SCOPE, targets),
          isOpen: reflector.getAllAndOverride<boolean | undefined>(NO_KEY_NEEDED, targets) ?? false,
        };
      }),
    );
}

describe('routes of control', () => {
  it('given any route, then it names the scope of its keys, or is one of the few that need no key', async () => {
    const all = await routes();
    expect(all.length).toBeGreaterThanOrEqual(28);
    expect(all.filter(({ isOpen }) => isOpen).map(({ name }) => name)).toEqual([
      'ObservabilityController.metrics',
      'ObservabilityController.live',
      'ObservabilityController.ready',
    ]);
    expect(all.filter(({ isOpen, scope }) => !isOpen && scope === undefined)).toEqual([]);
  });
});
