// Runs command lines one after another, each as if this process had been started for it: see resident.ts.
import { fileURLToPath } from 'node:url';
import { main } from '../../dist/bin/main.js';

const PROGRAM = fileURLToPath(new URL('../../bin/compress.js', import.meta.url));
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

process.on('disconnect', () => process.exit());
process.on('message', async ({ args, cwd }) => {
  process.argv = [process.execPath, PROGRAM, ...args];
  process.chdir(cwd);
  process.exitCode = 0;
  const said = { stdout: taken(process.stdout), stderr: taken(process.stderr) };
  await main(args);
  for (const signal of SIGNALS) process.removeAllListeners(signal);
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error');
  const [stdout, stderr] = [said.stdout, said.stderr].map((parts) => Buffer.concat(parts));
  process.send({ code: process.exitCode, stdout, stderr: stderr.toString() });
});

/** Collects what is written to a stream from now on. */
function taken(stream) {
  const parts = [];
  stream.write = (part, ...rest) => {
    parts.push(Buffer.from(part));
    const done = rest.at(-1);
    if (typeof done === 'function') done();
    return true;
  };
  return parts;
}
