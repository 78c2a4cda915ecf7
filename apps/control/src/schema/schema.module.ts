import { Module } from '@nestjs/common';
import { SchemaState } from './schema-state.js';

@Module({ providers: [SchemaState], exports: [SchemaState] })
export class SchemaModule {}
