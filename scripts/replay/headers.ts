import type { IHeaders } from 'kafkajs';

/** @returns headers in the form of the product's codecs; the last of repeated headers applies */
export function lastHeaders(headers: IHeaders = {}): Record<string, Buffer | string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]),
  );
}
