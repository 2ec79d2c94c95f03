/**
 * A function that calls `make` on its first call and returns the same result afterwards. It is used for lazy imports,
 * because each `import()` resolves its file again, which costs more than a small weight.
 */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
