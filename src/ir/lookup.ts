/** The entry of a table under a name that comes from a file: `__proto__` and `constructor` are names like any other. */
export function lookup<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
