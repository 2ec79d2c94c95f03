// Puts the command line into few files, dist/bin/: Node then starts in half the time. Packages stay where they are.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const root = new URL('..', import.meta.url).pathname;
const entry = (path) => `${root}dist/${path}.js`;

await build({
  entryPoints: [entry('cli/main'), entry('compute/worker'), entry('runtime/peakChild')],
  entryNames: '[name]',
  outdir: `${root}dist/bin`,
  bundle: true,
  splitting: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
});
// What the bundle was made of, as far as the library does not need it.
rmSync(`${root}dist/cli`, { recursive: true });
if (!readdirSync(`${root}dist/bin`).includes('worker.js')) throw new Error('dist/bin/worker.js was not written');

// The page of --report: one file, with its script, its style and the chart library in it, and a place for the data.
const page = await build({
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
