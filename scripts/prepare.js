// Builds dist/ when npm makes a package from the repository: for `npm pack`, `npm publish`, `npm install` in a clone,
// and installs from a folder or from Git.
//   node scripts/prepare.js            where there is no dist/
//   node scripts/prepare.js --always   for a package to send
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const always = process.argv.includes('--always');
const isThere = (path) => existsSync(join(root, path));

if (always || !isThere('dist/bin/start.js')) process.exitCode = isThere('node_modules/typescript') ? build() : refuse();

function build() {
  // What npm pack --json says on standard output is for programs.
  const options = { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' };
  return spawnSync('npm', ['run', '--silent', 'build'], options).status ?? 1;
}

/** Without the tools nothing can be built, which is an error if an empty package would be the result. */
function refuse() {
  const own = process.env.INIT_CWD === undefined || relative(root, process.env.INIT_CWD) === '';
  process.stderr.write(`onnx-compress is not built: ${root} has no tools to build it\n`);
  process.stderr.write('  Build it there first: npm install && npm run build\n');
  return own && !always ? 0 : 1;
}
