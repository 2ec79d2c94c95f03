// esbuild puts into one file what the same entries reach. Entries are the library, the programs and each module that is imported
// only when it is needed: some forty, which makes more than a hundred files, and Node takes most of a millisecond to find and
// link each. What a start loads anyway is gathered here into groups. An entry that reaches one module of a group imports
// all of them, so all of them have the same entries and become one file.
import { relative, resolve } from 'node:path';

/**
 * What each module imports as it is loaded, and which modules are loaded later.
 * @param inputs - of the metafile of a build
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

/** The modules that are loaded with these. */
export function reachedFrom(edges, paths) {
  const reached = new Set(paths);
  for (const path of reached) for (const next of edges.get(path) ?? []) reached.add(next);
  return reached;
}

/**
 * The plugin that makes one file of each group.
 * @param entries - modules where a program begins whose start counts
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
