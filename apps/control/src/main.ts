import 'reflect-metadata';
import { runApp } from '#common/http/run-app.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { AppModule } from './app.module.js';
import { configSchema } from './config.js';
import { createHttpAdapter } from './http-adapter.js';
import { serveOpenApi } from './openapi.js';

await runApp({
  schema: configSchema,
  env: process.env,
  module: AppModule.forConfig,
  transports: [KafkaTransport],
  adapter: createHttpAdapter,
  configure: serveOpenApi,
});
