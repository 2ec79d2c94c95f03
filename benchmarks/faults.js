// What happens to files when things go wrong: signals at random moments, full and read-only disks, streams that are
// full or closed, models that change while they are read, two runs at once.
//   npm run build && node benchmarks/faults.js [signals disks races] [--moments 50] [--rounds 20] [--megabytes 320] [--folder /dev/shm]
// Linux; disks are mounted where that is allowed (root), and their cases say that they were skipped where it is not.
// Writes benchmarks/results/faults.json, a line a case, and ends with 1 where one ended otherwise than it must.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { disks } from './faults/disks.js';
import { races } from './faults/races.js';
import { signals } from './faults/signals.js';
import { ROOT } from './faults/support.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    moments: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '20' },
    megabytes: { type: 'string', default: '320' },
    seed: { type: 'string', default: '1' },
    folder: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
  },
});
const numbers = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
const parts = { races, disks, signals };
const wanted = positionals.length === 0 ? Object.keys(parts) : positionals;
const path = join(ROOT, 'benchmarks/results/faults.json');
const results = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
const folder = mkdtempSync(join(values.folder, 'faults-'));
let bad = 0;
try {
  for (const part of wanted) {
    results[part] = [];
    await parts[part](folder, numbers, (line) => {
      bad += line.faults?.length ?? 0;
      results[part].push(line);
      console.log(JSON.stringify(line));
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`);
process.exitCode = bad === 0 ? 0 : 1;
