import { Module } from '@nestjs/common';
import { PeriodicJobs } from './periodic-jobs.js';
import { SchemaState } from './schema-state.js';

@Module({ providers: [SchemaState, PeriodicJobs], exports: [SchemaState, PeriodicJobs] })
export class SchemaModule {}
