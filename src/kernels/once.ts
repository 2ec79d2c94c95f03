/**
 * A function that calls another one when it is called first, and has its result at hand from then on. For modules that
 * are imported late: each `import()` looks for its file again, which costs more than a small weight.
 */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
