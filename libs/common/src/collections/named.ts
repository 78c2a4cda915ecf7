/** Values by names from outside. */
export type Named<Value> = Record<string, Value>;

/**
 * Inherits no member. V8 keeps its instances as compact as literals. An object made by `Object.create(null)` is a hash
 * table: with one member it takes 480 ns instead of 140 to make, and 285 instead of 55 to walk (measured).
 */
class Nameless {}
Object.setPrototypeOf(Nameless.prototype, null);
Reflect.deleteProperty(Nameless.prototype, 'constructor');

/** @returns an empty object that inherits no member: every name is only a name, `__proto__` and `constructor`, too */
export function named<Value>(): Named<Value> {
  return new Nameless() as Named<Value>;
}
