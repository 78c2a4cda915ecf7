import { parseArgs } from 'node:util';
import { UserError } from './settings.mjs';

/**
 * The options of a command.
 *
 * @template {import('node:util').ParseArgsOptionsConfig} Options
 * @param {Options} options
 * @param {{ args?: string[], usage?: string }} [command] `usage` is missing for the list of options
 * @throws UserError with the usage, when it is given one it does not know
 */
export function optionsOf(options, { args = process.argv.slice(2), usage = listOf(options) } = {}) {
  try {
    return parseArgs({ options, args }).values;
  } catch (error) {
    throw new UserError(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  }
}

/**
 * {@link optionsOf} for a command that has nothing to undo: it says what is wrong, and ends.
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
