import type { IHeaders } from 'kafkajs';

/** @returns the headers of a record as the codecs of the product take them: the last one counts where a header is repeated */
export function lastHeaders(headers: IHeaders = {}): Record<string, Buffer | string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]),
  );
}
