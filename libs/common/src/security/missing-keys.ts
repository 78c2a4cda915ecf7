import type { Sealer } from './sealing.js';

/**
 * Keys that `SECRET_KEYS` lacks, with those whose secrets are sealed under them. A key that opened any text is right: a
 * text under it that does not open is damaged, which is no reason to keep a process from its work.
 */
export class MissingKeys {
  private readonly opened = new Set<string>();
  private readonly byEndpoint = new Map<string, readonly string[]>();
  /** By key id: how many endpoints need it. */
  private readonly counts = new Map<string, number>();

  constructor(private readonly sealer: Pick<Sealer, 'has'>) {}

  /** @param missing ids of the keys that did not open a secret of the endpoint; none when all are open */
  note(endpointId: string, { opened, missing }: { opened: Iterable<string>; missing: readonly string[] }): void {
    for (const keyId of opened) this.opened.add(keyId);
    this.forget(endpointId);
    if (missing.length === 0) return;
    this.byEndpoint.set(endpointId, missing);
    for (const keyId of missing) this.counts.set(keyId, (this.counts.get(keyId) ?? 0) + 1);
  }

  /** Whether the key has opened a text: a text under it that does not open is damaged. */
  hasOpened(keyId: string): boolean {
    return this.opened.has(keyId);
  }

  forget(endpointId: string): void {
    for (const keyId of this.byEndpoint.get(endpointId) ?? []) {
      const left = (this.counts.get(keyId) ?? 0) - 1;
      if (left > 0) this.counts.set(keyId, left);
      else this.counts.delete(keyId);
    }
    this.byEndpoint.delete(endpointId);
  }

  /** How many endpoints have a secret that does not open. */
  get size(): number {
    return this.byEndpoint.size;
  }

  /** Ids of these endpoints. */
  endpoints(): readonly string[] {
    return [...this.byEndpoint.keys()];
  }

  /** Ids of all keys that did not open a secret. */
  keyIds(): readonly string[] {
    return [...this.counts.keys()].sort();
  }

  /** Ids of the keys that are unknown, or that opened nothing: those a process must not start without. */
  lacking(): readonly string[] {
    return this.keyIds().filter((keyId) => !this.opened.has(keyId));
  }

  /** For readiness. @returns undefined when every secret opens, else which keys are missing and how many endpoints need them */
  problem(): string | undefined {
    if (this.counts.size === 0) return undefined;
    const counts = [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1));
    return counts.map(([keyId, count]) => missingKeyProblem(this.sealer, keyId, count)).join('; ');
  }
}

/** @returns what is wrong with a key that does not open what is sealed under its id, for people */
export function missingKeyProblem(sealer: Pick<Sealer, 'has'>, keyId: string, endpoints: number): string {
  const need = endpoints === 1 ? '1 endpoint needs' : `${endpoints} endpoints need`;
  if (!sealer.has(keyId)) return `SECRET_KEYS does not name the key "${keyId}", which ${need}`;
  return `the key "${keyId}" of SECRET_KEYS does not open secrets, which ${need}`;
}
