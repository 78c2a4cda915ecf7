import { Module } from '@nestjs/common';
import { SchemaModule } from '../schema/schema.module.js';
import { Janitor } from './janitor.js';

@Module({ imports: [SchemaModule], providers: [Janitor] })
export class RetentionModule {}
