// Puts the command line into few files, dist/bin/: Node then starts in half the time. Packages stay where they are.
import { readdirSync, rmSync } from 'node:fs';
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
