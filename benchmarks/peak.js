// Loaded into a process with NODE_OPTIONS=--import: leaves its peak resident memory, in kB, in PEAK_FOLDER.
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('exit', () => {
    const { maxRSS } = process.resourceUsage();
    writeFileSync(`${process.env.PEAK_FOLDER}/${process.pid}`, `${maxRSS} ${process.argv.slice(2).join(' ')}`);
  });
}
