/**
 * A simulated part in a real one's place: it has all that others see of that. What they do not see, its private fields,
 * is all the compiler misses.
 */
export function standIn<Part>(simulated: Pick<Part, keyof Part>): Part {
  return simulated as Part;
}
