// Checks the whole repository, like CI. Independent scripts run two at a time, because the compilers use one thread
// each. Jest comes last, because it needs the build and uses every core.
//   npm run check
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Scripts of package.json, the longest first. */
const SCRIPTS = ['typecheck', 'site', 'build', 'fence', 'lint'];

const waiting = SCRIPTS.values();
const failed = [];
await Promise.all([work(), work()]);
if (failed.length > 0) {
  process.stderr.write(`check: ${failed.join(', ')} failed\n`);
  process.exit(1);
}
process.exitCode = await run('test', 'inherit').code;

async function work() {
  for (const name of waiting) {
    const { said, code } = run(name, 'pipe');
    if ((await code) !== 0) failed.push(name);
    process.stdout.write(said.join(''));
  }
}

/** The output of a script is printed when it is done, because two at a time would mix their lines. */
function run(name, output) {
  const options = { cwd: root, stdio: ['ignore', output, output], shell: process.platform === 'win32' };
  const child = spawn('npm', ['run', name], options);
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => said.push(text));
  const code = new Promise((done, refuse) => child.on('error', refuse).on('close', (status) => done(status ?? 1)));
  return { said, code };
}
