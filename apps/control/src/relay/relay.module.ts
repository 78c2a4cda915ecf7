import { Module } from '@nestjs/common';
import { ConfigurationModule } from '../configuration/configuration.module.js';
import { SchemaModule } from '../schema/schema.module.js';
import { OutboxRelay } from './outbox-relay.js';

@Module({ imports: [SchemaModule, ConfigurationModule], providers: [OutboxRelay] })
export class RelayModule {}
