#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/bin/start.js', import.meta.url);
// Map stack traces to the source files instead of the bundle.
if (process.argv.includes('--verbose')) process.setSourceMapsEnabled(true);
try {
  const { start } = await import(program);
  await start(process.argv.slice(2));
} catch (cause) {
  process.stderr.write(`${reason(cause)}\n`);
  process.exitCode = 1;
}

/** Why the program could not start. Later errors are printed by the program itself. */
function reason(cause) {
  if (cause.code === 'EMFILE') {
    return (
      'error: onnx-compress needs more open files than the shell allows\n' +
      '  ulimit -n shows how many, ulimit -n 1024 allows more.'
    );
  }
  if (existsSync(program)) return cause.stack;
  const home = fileURLToPath(new URL('..', import.meta.url));
  return (
    `error: onnx-compress is not built: there is no dist/ in ${home}\n` +
    '  Build it there: npm install && npm run build'
  );
}
