/**
 * Puts all of src that a test names into one file, `.jest/all.js`, before the tests run: jest compiles and links each
 * module anew for every test file, and src has hundreds. jest.config.js sends the import of a module to its small file
 * in `.jest/`, which gives out what that module exports. Stack traces show the lines of src.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { OWN_NAMES } from './transform.cjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUT = join(ROOT, '.jest');

/** A module keeps its own address in the bundle. */
const ownAddress = {
  name: 'own address',
  setup(bundler) {
    bundler.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.url')) return undefined;
      const address = JSON.stringify(pathToFileURL(path).href);
      return { contents: source.replaceAll('import.meta.url', address), loader: 'ts' };
    });
  },
};

/** jest calls this once for a run. */
export default async function bundleSources() {
  const modules = namedByTests();
  const lines = modules.map((path, index) => `export * as m${index} from './src/${path}.ts';`);
  const { outputFiles } = await build({
    stdin: { contents: lines.join('\n'), resolveDir: ROOT, sourcefile: 'all.ts' },
    outfile: join(OUT, 'all.js'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    sourcemap: true,
    sourcesContent: false,
    banner: { js: `const { ${OWN_NAMES.join(', ')} } = globalThis;` },
    plugins: [ownAddress],
    write: false,
  });
  mkdirSync(OUT, { recursive: true });
  for (const { path, contents } of outputFiles) put(path, contents);
  const all = await import(pathToFileURL(join(OUT, 'all.js')).href);
  for (const [index, path] of modules.entries()) {
    const file = join(OUT, `${path}.js`);
    const bundle = relative(dirname(file), join(OUT, 'all.js'));
    const names = Object.keys(all[`m${index}`]).join(', ');
    const from = bundle.startsWith('.') ? bundle : `./${bundle}`;
    mkdirSync(dirname(file), { recursive: true });
    put(file, Buffer.from(`import { m${index} } from '${from}';\nexport const { ${names} } = m${index};\n`));
  }
}

/** Modules of src that a file in test/ imports, as `ir/tensor`. */
function namedByTests() {
  const found = new Set();
  for (const name of readdirSync(join(ROOT, 'test'), { recursive: true })) {
    if (!name.endsWith('.ts')) continue;
    const text = readFileSync(join(ROOT, 'test', name), 'utf8');
    for (const [, path] of text.matchAll(/(?:from|import\()\s*'(?:\.\.\/)+src\/([^']+)\.ts'/g)) found.add(path);
  }
  return [...found].sort();
}

/** Writes a file in one step, and only if it changes: another run may be reading it. */
function put(path, contents) {
  try {
    if (readFileSync(path).equals(contents)) return;
  } catch {
    // The file does not exist yet.
  }
  writeFileSync(`${path}.${process.pid}`, contents);
  renameSync(`${path}.${process.pid}`, path);
}
