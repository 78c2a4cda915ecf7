import { ROOT } from '../lib/paths.mjs';
import { renderConfiguration } from './configuration.mjs';
import { renderErrors } from './errors.mjs';
import { renderMetrics } from './metrics.mjs';

/** @typedef {{ configs: readonly import('./configuration.mjs').AppConfig[], problems: import('./errors.mjs').Problems }} Sources */

/**
 * Every document that is written from code.
 *
 * @param {Sources} sources
 * @returns {Record<string, string>} by path within the checkout
 */
export function renderDocuments({ configs, problems }) {
  return {
    'docs/configuration.md': renderConfiguration(configs),
    'docs/errors.md': renderErrors(problems),
    'docs/metrics.md': renderMetrics(ROOT),
  };
}
