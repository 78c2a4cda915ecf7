import { type DynamicModule, Logger as NestLogger, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import type { z } from 'zod';
import { InvalidConfigError, loadConfig, maskedConfig } from '../config/env.js';
import { ProblemFilter } from './problem.filter.js';

interface HttpConfig {
  readonly HOST: string;
  readonly PORT: number;
}

export interface AppOptions<Shape extends z.ZodRawShape> {
  readonly schema: z.ZodObject<Shape>;
  /** Usually `process.env`. */
  readonly env: NodeJS.ProcessEnv;
  readonly module: (config: z.infer<z.ZodObject<Shape>>) => DynamicModule;
  /** Providers of the module that consume records; each becomes a microservice of the app. */
  readonly transports: readonly Type<CustomTransportStrategy>[];
  readonly adapter?: (config: z.infer<z.ZodObject<Shape>>) => FastifyAdapter;
  /** Further set-up of the HTTP side, before it listens. */
  readonly configure?: (app: NestFastifyApplication) => void | Promise<void>;
}

/**
 * Runs one app until a signal stops it. HTTP answers first, so that health is right while the app starts; a
 * failure to start ends the process with exit code 1, a bad configuration with 2 and every bad variable named.
 */
export async function runApp<Shape extends z.ZodRawShape>(options: AppOptions<Shape>): Promise<void> {
  try {
    const config = loadConfig(options.schema, options.env);
    const adapter = options.adapter?.(config) ?? new FastifyAdapter();
    const app = await NestFactory.create<NestFastifyApplication>(options.module(config), adapter, { bufferLogs: true });
    app.useLogger(app.get(Logger));
    app.useGlobalFilters(new ProblemFilter());
    app.enableShutdownHooks();
    await options.configure?.(app);
    for (const transport of options.transports) app.connectMicroservice({ strategy: app.get(transport) });
    new NestLogger('config').log(maskedConfig(config), 'app.starting');
    const { HOST, PORT } = config as HttpConfig;
    await app.listen(PORT, HOST);
    await app.startAllMicroservices();
  } catch (error) {
    const isConfig = error instanceof InvalidConfigError;
    process.stderr.write(`${isConfig ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(isConfig ? 2 : 1);
  }
}
