import { Module } from '@nestjs/common';
import { ConfigurationModule } from '../configuration/configuration.module.js';
import { SchemaModule } from '../schema/schema.module.js';
import { OutboxRelay } from './outbox-relay.js';
import { OutboxWriter } from './outbox-writer.js';

@Module({ imports: [SchemaModule, ConfigurationModule], providers: [OutboxWriter, OutboxRelay] })
export class RelayModule {}
