import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { ApiKeyModule } from '#common/api-keys/api-key.module.js';
import { ApiKeyGuard } from '#common/http/api-key.guard.js';
import { SchemaPipe } from '#common/http/validation.js';
import { KafkaModule } from '#common/kafka/kafka.module.js';
import { ObservabilityModule } from '#common/observability/observability.module.js';
import { PostgresModule } from '#common/postgres/postgres.module.js';
import type { EndpointDefaults } from '#common/records/endpoint-options.js';
import type { AdminKeyConfig } from './api-keys/admin-key.js';
import { ApiKeysModule } from './api-keys/api-keys.module.js';
import type { ControlConfig } from './config.js';
import { ConfigurationModule } from './configuration/configuration.module.js';
import type { SigningConfig } from './configuration/signer.js';
import { DatabaseInterceptor } from './database.interceptor.js';
import { DeadLettersModule } from './dead-letters/dead-letters.module.js';
import { DeliveriesModule } from './deliveries/deliveries.module.js';
import { type AddressConfig, EndpointsModule } from './endpoints/endpoints.module.js';
import { EventsModule } from './events/events.module.js';
import { EndpointHealthModule } from './health/endpoint-health.module.js';
import { LanesModule } from './lanes/lanes.module.js';
import { ProjectorModule } from './projector/projector.module.js';
import { RecoveriesModule } from './recoveries/recoveries.module.js';
import type { RecoveryConfig } from './recoveries/recovery-worker.js';
import { RelayModule } from './relay/relay.module.js';
import type { ReplayConfig } from './replays/replays.module.js';
import type { RetentionConfig } from './retention/janitor.js';
import { RetentionModule } from './retention/retention.module.js';
import { SchemaModule } from './schema/schema.module.js';
import type { SchemaConfig } from './schema/schema-state.js';
import type { SealingConfig } from './secrets/secrets.module.js';
import { ControlConfigModule } from './shared/control-config.js';

const APP = 'control';

/** Options of all features: each feature declares its own part. */
type FeatureConfig = SchemaConfig &
  SealingConfig &
  SigningConfig &
  AdminKeyConfig &
  AddressConfig &
  EndpointDefaults &
  ReplayConfig &
  RecoveryConfig &
  RetentionConfig;

/** In the order in which OpenAPI shows their routes. */
const FEATURES_WITH_ROUTES = [
  EndpointsModule,
  EndpointHealthModule,
  EventsModule,
  DeliveriesModule,
  DeadLettersModule,
  LanesModule,
  RecoveriesModule,
  ApiKeysModule,
];

@Module({})
export class AppModule {
  static forConfig(config: ControlConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ControlConfigModule.of(config satisfies FeatureConfig),
        ObservabilityModule.forApp({ app: APP, level: config.LOG_LEVEL }),
        KafkaModule.forApp({ app: APP, config }),
        PostgresModule.forApp({ app: APP, config }),
        ApiKeyModule,
        SchemaModule,
        ...FEATURES_WITH_ROUTES,
        ConfigurationModule,
        RelayModule,
        ProjectorModule,
        RetentionModule,
      ],
      providers: [
        { provide: APP_GUARD, useClass: ApiKeyGuard },
        { provide: APP_PIPE, useClass: SchemaPipe },
        { provide: APP_INTERCEPTOR, useClass: DatabaseInterceptor },
      ],
    };
  }
}
