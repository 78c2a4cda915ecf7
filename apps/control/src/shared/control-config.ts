import { type DynamicModule, Module } from '@nestjs/common';

/** DI token of the app's configuration. A feature declares the part that it reads; app.module.ts provides them all. */
export const CONTROL_CONFIG = Symbol('ControlConfig');

/** Provides the configuration to every module of the app. */
@Module({})
export class ControlConfigModule {
  static of(config: object): DynamicModule {
    const provider = { provide: CONTROL_CONFIG, useValue: config };
    return { module: ControlConfigModule, global: true, providers: [provider], exports: [CONTROL_CONFIG] };
  }
}
