// Runs the command line in a process of its own and measures it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const bin = new URL('../../bin/compress.js', import.meta.url).pathname;

// process.resourceUsage().maxRSS counts the parent's memory too: it survives exec. The kernel's VmHWM does not.
const MEASURE = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync, writeFileSync } from 'node:fs';
  process.on('exit', () => {
    const line = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
    const { user, system } = process.cpuUsage();
    writeFileSync(process.env.MEASURED, JSON.stringify({ cpuSeconds: (user + system) / 1e6, seconds: process.uptime(), peakBytes: Number(line[1]) * 1024 }));
  });
`)}`;

/** Processor seconds, seconds, and bytes of memory at its peak. @param folder - for a file with the measurements */
export function measured(args, folder) {
  const file = join(folder, 'measured.json');
  const done = spawnSync('node', ['--import', MEASURE, bin, ...args], {
    encoding: 'utf8',
    env: { ...process.env, MEASURED: file },
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(readFileSync(file, 'utf8'));
}
