import { parseArgs } from 'node:util';
import { UserError } from './settings.mjs';

/**
 * Parses the options of a command.
 *
 * @template {import('node:util').ParseArgsOptionsConfig} Options
 * @param {Options} options
 * @param {{ args?: string[], usage?: string }} [command] `usage`: text for errors; by default the list of options
 * @throws UserError with the usage for an unknown option
 */
export function optionsOf(options, { args = process.argv.slice(2), usage = listOf(options) } = {}) {
  try {
    return parseArgs({ options, args }).values;
  } catch (error) {
    throw new UserError(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  }
}

/**
 * {@link optionsOf}, but prints the error and exits. For commands without cleanup.
 *
 * @template {import('node:util').ParseArgsOptionsConfig} Options
 * @param {Options} options
 * @param {{ args?: string[], usage?: string }} [command]
 */
export function optionsOrExit(options, command) {
  try {
    return optionsOf(options, command);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

/** @param {import('node:util').ParseArgsOptionsConfig} options */
function listOf(options) {
  const lines = Object.entries(options).map(([name, { type, default: preset }]) => {
    const value = type === 'string' ? ` <${preset ?? name}>` : '';
    return `  --${name}${value}`;
  });
  return ['options', ...lines].join('\n');
}
