import { Module } from '@nestjs/common';
import { ChangesModule } from '../changes/changes.module.js';
import { SchemaModule } from '../schema/schema.module.js';
import { GenerationsModule } from '../shared/generations.module.js';
import { Comparer } from './comparer.js';
import { ConfigurationPublisher } from './publisher.js';
import { ConfigurationSigner } from './signer.js';
import { ConfigurationTopics } from './topics.js';
import { ConfigurationWatch } from './watch.js';

@Module({
  imports: [SchemaModule, ChangesModule, GenerationsModule],
  providers: [ConfigurationTopics, Comparer, ConfigurationWatch, ConfigurationSigner, ConfigurationPublisher],
  exports: [ConfigurationPublisher],
})
export class ConfigurationModule {}
