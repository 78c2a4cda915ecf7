/**
 * A list parameter whose length the planner does not see. It takes a list of unknown length for ten long, so that a plan
 * for a shorter one always looks cheaper, and the statement is planned anew every time it runs, prepared or not.
 *
 * @param parameter such as `$1`
 * @param type of an element
 */
export function listOf(parameter: string, type: string): string {
  return `(SELECT ${parameter}::${type}[])::${type}[]`;
}
