/**
 * The entry of a table under a name from a file. The name may be `__proto__` or `constructor`, so only own properties
 * count.
 */
export function lookup<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
