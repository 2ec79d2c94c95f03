// Bundles the command line and the library with the small packages they need into few files in dist/bin/. Node then
// starts in a third of the time, and users do not install those packages. Their licences go to THIRD-PARTY-LICENSES.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { gather, graphOf, reachedFrom } from './gather.js';
import { writeLicenses } from './licenses.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = (path) => `src/${path}.ts`;
process.chdir(root);

/** Entries that programs import: the core for any runtime, and the core with the parts for Node. */
const LIBRARY = ['index', 'index.node'];

/** Entries where a program starts: the library, the command line in two steps, and a process of `--jobs`. */
const ENTRIES = [...LIBRARY, 'cli/start', 'cli/main', 'cli/many/child'].map(entry);
/** A child process that measures the memory of a model, and loads as little as possible. */
const CHILD = entry('node/runtime/peakChild');

/**
 * Modules that commands load before they start work: all commands, those that write a model, and the two most used.
 */
const STARTS = {
  all: ['cli/start', 'cli/main'],
  write: ['cli/run', 'cli/commands/copy', 'cli/render'],
  prune: ['cli/commands/prune', 'node/recipes/prune'],
  quantize: ['cli/commands/quantize', 'node/recipes/quantize'],
};

/** Packages that are not bundled: those with files of their own (threads, native code), and one that is optional. */
const EXTERNAL = ['@huggingface/tokenizers', 'tinypool', 'onnxruntime-node', '@colors/colors'];

/**
 * Help and tables measure text, nearly all of it plain, but `string-width` loads ICU tables and compiles its
 * expressions on import: 20 ms, a third of a start. Importers get a function that measures plain text, and loads the
 * real one for the rest.
 */
const lateStringWidth = {
  name: 'late string-width',
  setup(bundler) {
    bundler.onResolve({ filter: /^string-width$/ }, async ({ pluginData, resolveDir, kind }) => {
      if (pluginData === 'real') return undefined;
      const { path } = await bundler.resolve('string-width', { pluginData: 'real', resolveDir, kind });
      return { path, namespace: 'late', pluginData: kind };
    });
    bundler.onLoad({ filter: /.*/, namespace: 'late' }, ({ path, pluginData: kind }) => ({
      // Version 4 is required and is the function itself, later ones are imported.
      contents: `
        let width;
        ${kind === 'require-call' ? 'module.exports =' : 'export default'} function stringWidth(text, options) {
          if (typeof text === 'string' && /^[ -~×…]*$/.test(text)) return text.length;
          const real = require(${JSON.stringify(path)});
          width ??= real.default ?? real;
          return width(text, options);
        }`,
      resolveDir: root,
    }));
  },
};

/** Older packages `require` built-in modules, which ES modules cannot; this gives them Node's own `require`. */
const requiredOfNode = {
  name: 'required of Node',
  setup(bundler) {
    const filter = new RegExp(`^(node:)?(${builtinModules.join('|')})$`);
    bundler.onResolve({ filter }, ({ path, kind }) => {
      return kind === 'require-call' ? { path, namespace: 'of Node' } : undefined;
    });
    bundler.onLoad({ filter: /.*/, namespace: 'of Node' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

const SETTINGS = {
  entryNames: '[name]',
  outdir: `${root}dist/bin`,
  bundle: true,
  external: EXTERNAL,
  plugins: [lateStringWidth, requiredOfNode],
  // Names stay, for the stack traces of --verbose.
  minifyWhitespace: true,
  minifySyntax: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  metafile: true,
  sourcemap: true,
  legalComments: 'none',
  logLevel: 'warning',
};
const split = { ...SETTINGS, entryPoints: [...ENTRIES, CHILD], splitting: true };
const { inputs } = (await build({ ...split, write: false })).metafile;
const gathered = gather(inputs, ENTRIES, groupsOf(inputs));
const { metafile } = await build({
  ...split,
  plugins: [...SETTINGS.plugins, gathered],
  // Groups import modules to have them in one file; whether their code is needed, others say.
  logOverride: { 'ignored-bare-import': 'silent' },
});
// Threads share no code with the command line in memory: each of theirs is one file, which is sooner read.
const threads = await build({ ...SETTINGS, entryPoints: ['node/threads/worker', 'node/files/spoolThread'].map(entry) });

/**
 * The modules of each start, apart by what the library needs of them: the core may not come with what only Node has.
 */
function groupsOf(inputs) {
  const { edges } = graphOf(inputs);
  const reached = (paths) => reachedFrom(edges, paths.map(entry));
  const core = reached(['index']);
  const library = reached(['index.node']);
  const starts = Object.entries(STARTS).map(([name, paths]) => [name, reached(paths)]);
  const groups = new Map();
  for (const path of Object.keys(inputs).filter((one) => one.startsWith('src/'))) {
    const names = starts.filter(([, modules]) => modules.has(path)).map(([name]) => name);
    if (names.length === 0) continue;
    const when = names.find((name) => name === 'all' || name === 'write') ?? names.join('-');
    const name = `${core.has(path) ? 'core' : library.has(path) ? 'node' : 'cli'}-${when}`;
    groups.set(name, [...(groups.get(name) ?? []), path]);
  }
  return groups;
}

// Maps have our sources in them, which are nowhere else in the package; those of others say only which file it was.
for (const name of readdirSync(`${root}dist/bin`).filter((one) => one.endsWith('.js.map'))) {
  const map = JSON.parse(readFileSync(`${root}dist/bin/${name}`, 'utf8'));
  const sourcesContent = map.sources.map((path, index) => (isOthers(path) ? null : map.sourcesContent[index]));
  writeFileSync(`${root}dist/bin/${name}`, JSON.stringify({ ...map, sourcesContent }));
}

function isOthers(path) {
  return path.includes('node_modules/') || path.includes('of Node:');
}

// What lies beside dist/bin/ are types, which the package has, and single modules, which tests and benchmarks look
// into.
rmSync(`${root}dist/cli`, { recursive: true });
for (const name of LIBRARY) writeFileSync(`${root}dist/${name}.js`, `export * from './bin/${name}.js';\n`);
for (const name of [
  ...LIBRARY.map((one) => `${one}.js`),
  'start.js',
  'main.js',
  'worker.js',
  'spoolThread.js',
  'child.js',
]) {
  if (!existsSync(`${root}dist/bin/${name}`)) throw new Error(`dist/bin/${name} was not written`);
}

// The page of --report: one file, with its script, its style and the chart library in it, and a place for the data.
const page = await build({
  metafile: true,
  entryPoints: [`${root}report/page.ts`],
  bundle: true,
  minify: true,
  write: false,
  format: 'iife',
  platform: 'browser',
  target: 'es2022',
  charset: 'utf8',
  logLevel: 'warning',
});
const [script] = page.outputFiles;
const style = ['node_modules/uplot/dist/uPlot.min.css', 'report/page.css'].map((path) =>
  readFileSync(root + path, 'utf8'),
);
const licence = `/* µPlot: ${readFileSync(`${root}node_modules/uplot/LICENSE`, 'utf8').trim()} */`;
const html = readFileSync(`${root}report/index.html`, 'utf8')
  .replace('/*style*/', () => style.join('\n'))
  .replace('/*script*/', () => `${licence}\n${script.text}`);
if (script.text.includes('</script')) throw new Error('the script of the report would end its element early');
writeFileSync(`${root}dist/bin/report.html`, html);

writeLicenses(root, [metafile, threads.metafile, page.metafile]);
