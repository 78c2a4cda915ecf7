import { Module } from '@nestjs/common';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { Generations } from '#common/generations/generations.js';

/** The generations of logs: the configuration topics bring their markers, the projector reads them. */
@Module({ providers: [GenerationMarkers, Generations], exports: [GenerationMarkers, Generations] })
export class GenerationsModule {}
