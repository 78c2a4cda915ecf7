/** Copies of a JSON value, each with one text replaced, or one name extended. */
export function variantsOf(value: unknown, text: string): unknown[] {
  if (typeof value === 'string') return [text];
  if (Array.isArray(value))
    return value.flatMap((one, at) => variantsOf(one, text).map((other) => value.with(at, other)));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => {
    const { [name]: _renamed, ...rest } = value as Record<string, unknown>;
    const changed = variantsOf(one, text).map((other) => ({ ...value, [name]: other }));
    return [...changed, { ...rest, [name + text]: one }];
  });
}
