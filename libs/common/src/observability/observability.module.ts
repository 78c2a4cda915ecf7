import { type DynamicModule, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { collectDefaultMetrics, register } from 'prom-client';
import { Health } from './health.js';
import { ObservabilityController } from './observability.controller.js';

/** Gauges that prom-client names as if they were counters; the same ones by type, without `_total`, stay. */
const MISNAMED_METRICS = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Looked at every 10 ms, as prom-client does, the lag of the event loop is a third of what an idle app costs (measured). */
const LAG_SAMPLE_MS = 50;

/** Logs, metrics and health of one app. Global: every job logs and may register a health check. */
@Module({})
export class ObservabilityModule {
  /** @param options.app name on every log line and metric @param options.level least severe line written */
  static forApp(options: { app: string; level: string }): DynamicModule {
    register.setDefaultLabels({ app: options.app });
    collectDefaultMetrics({ register, eventLoopMonitoringPrecision: LAG_SAMPLE_MS });
    for (const name of MISNAMED_METRICS) register.removeSingleMetric(name);
    return {
      module: ObservabilityModule,
      global: true,
      imports: [
        LoggerModule.forRoot({
          pinoHttp: {
            level: options.level,
            base: { app: options.app },
            autoLogging: false,
            // The name of the level: readers do not know pino's numbers.
            formatters: { level: (label) => ({ level: label }) },
          },
          // No middleware: it makes a logger for every request, and a request that goes well is not logged.
          forRoutes: [],
        }),
      ],
      controllers: [ObservabilityController],
      providers: [Health],
      exports: [Health],
    };
  }
}
