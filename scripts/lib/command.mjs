import { UserError } from './settings.mjs';

/**
 * Runs a command. What its user can mend is printed as one message; other errors end the process with their stack.
 *
 * @param {() => Promise<number | void>} main returns the exit code; `process.exitCode` stands when it is left out
 */
export async function runCommand(main) {
  try {
    const exitCode = await main();
    if (exitCode !== undefined) process.exitCode = exitCode;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
