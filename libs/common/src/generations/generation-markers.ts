import { Injectable } from '@nestjs/common';
import {
  type GenerationRecord,
  highestGeneration,
  isGenerationKey,
  readGeneration,
} from '../records/generation-record.js';

/** The latest generation of each topic as the markers in `endpoints` have it. Readers of that topic fill it. */
@Injectable()
export class GenerationMarkers {
  private readonly latest = new Map<string, GenerationRecord>();

  /**
   * Takes a record whose key is a marker; markers of other kinds are passed over.
   *
   * @throws Error when the marker is malformed or out of range: the last good one stays
   */
  apply(key: string, value: Buffer | null): void {
    if (value === null || !isGenerationKey(key)) return;
    const record = readGeneration(key, value);
    const known = this.latest.get(record.topic);
    if (known === undefined || highestGeneration(known) <= highestGeneration(record))
      this.latest.set(record.topic, record);
  }

  of(topic: string): GenerationRecord | undefined {
    return this.latest.get(topic);
  }

  /** @returns the highest generation that the marker names, those of lost tails included; -1 without a marker */
  highestOf(topic: string): number {
    const record = this.latest.get(topic);
    return record === undefined ? -1 : highestGeneration(record);
  }
}
