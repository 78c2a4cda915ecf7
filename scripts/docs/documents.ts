import { ROOT } from '../lib/paths.mjs';
import { type AppConfig, renderConfiguration } from './configuration.ts';
import { type Problems, renderErrors } from './errors.ts';
import { renderMetrics } from './metrics.ts';

interface Sources {
  configs: readonly AppConfig[];
  problems: Problems;
}

/**
 * Every generated document.
 *
 * @returns contents by path within the checkout
 */
export function renderDocuments({ configs, problems }: Sources): Record<string, string> {
  return {
    'docs/configuration.md': renderConfiguration(configs),
    'docs/errors.md': renderErrors(problems),
    'docs/metrics.md': renderMetrics(ROOT),
  };
}
