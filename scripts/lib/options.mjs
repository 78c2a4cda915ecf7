import { parseArgs } from 'node:util';

/**
 * The options of a command. One that it does not know ends the process, with what it does know.
 *
 * @template {import('node:util').ParseArgsOptionsConfig} Options
 * @param {Options} options
 * @param {string[]} [args]
 * @param {string} [usage] missing for the list of options
 */
export function optionsOf(options, args = process.argv.slice(2), usage = listOf(options)) {
  try {
    return parseArgs({ options, args }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
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
