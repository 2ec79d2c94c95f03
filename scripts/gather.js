// esbuild puts modules that are reached from the same entries into one file. Entries are the library, the programs and
// each lazily imported module: about forty, which would make more than a hundred files, and Node takes most of a
// millisecond to find and link each. This plugin groups modules that a start loads anyway. An entry that reaches one
// module of a group imports all of them, so all have the same entries and become one file.
import { relative, resolve } from 'node:path';

/**
 * The static imports of each module, and the modules that are loaded lazily.
 * @param inputs - the inputs in the metafile of a build
 */
export function graphOf(inputs) {
  const edges = new Map();
  const later = new Set();
  for (const [path, { imports }] of Object.entries(inputs)) {
    const inside = imports.filter((one) => one.path in inputs);
    edges.set(
      path,
      inside.filter(({ kind }) => kind !== 'dynamic-import').map((one) => one.path),
    );
    for (const one of inside) if (one.kind === 'dynamic-import') later.add(one.path);
  }
  return { edges, later };
}

/** All modules that are loaded with the given ones. */
export function reachedFrom(edges, paths) {
  const reached = new Set(paths);
  for (const path of reached) for (const next of edges.get(path) ?? []) reached.add(next);
  return reached;
}

/**
 * The plugin that makes each group one file.
 * @param entries - entries of programs whose start time matters
 * @param groups - paths of modules by the names of their groups
 */
export function gather(inputs, entries, groups) {
  const { edges, later } = graphOf(inputs);
  const groupsOf = new Map(
    [...entries, ...later].map((entry) => [entry, touched(reachedFrom(edges, [entry]), edges, groups)]),
  );
  const root = resolve('.');
  return {
    name: 'gather',
    setup(bundler) {
      bundler.onResolve({ filter: /\.ts$/ }, ({ path, kind, resolveDir, namespace }) => {
        // What begins there may be all that a program does: it counts, whether or not somebody reads what it exports.
        if (namespace === 'entry') return { path: resolve(resolveDir, path), sideEffects: true };
        if (kind !== 'entry-point' && kind !== 'dynamic-import') return undefined;
        const module = relative(root, resolve(resolveDir, path));
        return (groupsOf.get(module)?.length ?? 0) === 0 ? undefined : { path: module, namespace: 'entry' };
      });
      bundler.onResolve({ filter: /^group:/ }, ({ path }) => ({ path: path.slice(6), namespace: 'group' }));
      bundler.onLoad({ filter: /./, namespace: 'entry' }, ({ path }) => ({
        contents: [...groupsOf.get(path).map((name) => `import 'group:${name}';`), `export * from './${path}';`].join(
          '\n',
        ),
        resolveDir: root,
      }));
      bundler.onLoad({ filter: /./, namespace: 'group' }, ({ path }) => ({
        contents: groups
          .get(path)
          .map((module) => `import './${module}';`)
          .join('\n'),
        resolveDir: root,
      }));
    },
  };
}

/** The groups of which something is reached; what they reach themselves included. */
function touched(reached, edges, groups) {
  const found = new Set();
  let all = reached;
  for (;;) {
    const next = [...groups].filter(([name, modules]) => !found.has(name) && modules.some((one) => all.has(one)));
    if (next.length === 0) return [...found];
    for (const [name] of next) found.add(name);
    all = reachedFrom(edges, [...all, ...next.flatMap(([, modules]) => modules)]);
  }
}
