// How long whole runs take beside `cp` of the same model, in alternation, and how much memory they hold.
//   npm run build && node benchmarks/growth.js [--sizes 64,1024,1024x768] [--rounds 5] [--folder /tmp]
// Writes benchmarks/results/growth.csv and the table of docs/performance.md, in which other sizes stay as they are.
// A size is MiB of weights; above 1536 they are external data. The weights are 4096×4096, or have as many rows and
// columns as the number after an x. Every command is timed twice in a round: until it ends, its output in the page
// cache, and until its output is on the disk (`sync` of its files). *Processor* is the least time of all its processors
// together, the most reliable figure on a busy machine. Sizes above 2048 run 3 rounds at most.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { matmuls } from './models.js';

const root = new URL('..', import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '64,256,1024,1024x768' },
    rounds: { type: 'string', default: '5' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const folder = mkdtempSync(join(values.folder, 'onnx-compress-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const compress = `"${process.execPath}" "${join(root, 'bin/compress.js')}"`;

/** Commands by name; `$M` is the model. ONNX files end at 2 GiB, so a pipe has no place for more. */
const COMMANDS = {
  cp: 'cp $M cp.onnx; if [ -e $M.data ]; then cp $M.data cp.data; fi',
  // What the machine can do, for comparison: the start of Node and the system's copy; a Node program that only reads
  // and writes; a pipe between two programs that only read and write.
  'limit: node then cp': `"${process.execPath}" -e 0; cp $M cp.onnx; if [ -e $M.data ]; then cp $M.data cp.data; fi`,
  'limit: read and write in Node': `"${process.execPath}" "${join(root, 'benchmarks/limit.js')}" $M out.onnx`,
  'limit: cat | cat': 'cat $M | cat > out.onnx',
  'quantize --int8': `${compress} quantize --int8 $M -o out.onnx --force -q`,
  'quantize --int4': `${compress} quantize --int4 $M -o out.onnx --force -q`,
  'quantize --int4 --form multipliers': `${compress} quantize --int4 --form multipliers $M -o out.onnx --force -q`,
  'prune --l1 0.4': `${compress} prune --l1 0.4 $M -o out.onnx --force -q`,
  'prune --scope global': `${compress} prune --l1 0.4 --scope global $M -o out.onnx --force -q`,
  'prune | quantize': `${compress} prune --l1 0.4 $M -q | ${compress} quantize --int8 -q > out.onnx`,
  copy: `${compress} copy $M -o out/m.onnx --force -q`,
  'quantize --dry-run': `${compress} quantize --int8 --dry-run -q $M -o out.onnx`,
};

function run(command, model, env = {}, toDisk = false) {
  for (const name of readdirSync(folder)) if (/^(cp|out\.)/.test(name)) rmSync(join(folder, name));
  rmSync(join(folder, 'out'), { recursive: true, force: true });
  mkdirSync(join(folder, 'out'));
  // What earlier commands wrote goes to the disk now, not while the next one is timed.
  spawnSync('sync');
  const start = process.hrtime.bigint();
  const script =
    `TIMEFORMAT='%U %S'; time { ${command.replaceAll('$M', model)}; }` +
    (toDisk ? ' && sync $(find . -newer m.onnx -name "*.onnx*")' : '');
  const result = spawnSync('bash', ['-o', 'pipefail', '-c', script], {
    cwd: folder,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  if (result.status !== 0) throw new Error(`${command}: ${result.stderr}`);
  const [user = 0, system = 0] = result.stderr.trim().split('\n').at(-1).split(' ').map(Number);
  return { seconds, processor: user + system };
}

/** Largest peak of the processes of a command, in MB. */
function peak(command, model) {
  const peaks = join(folder, 'peaks');
  mkdirSync(peaks);
  run(command, model, { NODE_OPTIONS: `--import ${join(root, 'benchmarks/peak.js')}`, PEAK_FOLDER: peaks });
  const all = readdirSync(peaks).map((name) => Number.parseInt(readFileSync(join(peaks, name), 'utf8'), 10));
  rmSync(peaks, { recursive: true });
  return all.length === 0 ? undefined : (Math.max(...all) * 1024) / 1e6;
}

/** What a size says, for people. */
function weights(size) {
  const [mebibytes, side] = size.split('x').map(Number);
  const bytes = mebibytes % 1024 === 0 ? `${mebibytes / 1024} GiB` : `${mebibytes} MiB`;
  return side === undefined ? bytes : `${bytes} of ${side}×${side}`;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const HEAD =
  'weights,command,seconds,ratio_to_cp,least_ratio,largest_ratio,seconds_to_disk,ratio_to_disk,processor_seconds,peak_mb';
const lines = [];
console.log(
  '| weights | command | seconds | of `cp` | least – largest | to the disk | of `cp` | processor | peak memory |',
);
console.log('| --: | --- | --: | --: | --: | --: | --: | --: | --: |');
for (const wanted of values.sizes.split(',')) {
  const [size, side] = wanted.split('x').map(Number);
  const model = 'm.onnx';
  matmuls(size, join(folder, model), side);
  const external = statSync(join(folder, model)).size < 2 ** 20;
  const names = Object.keys(COMMANDS).filter((name) => !external || !name.includes(' | '));
  const rounds = size > 2048 ? Math.min(3, Number(values.rounds)) : Number(values.rounds);
  const none = () => Object.fromEntries(names.map((name) => [name, []]));
  const [times, toDisk, processor] = [none(), none(), none()];
  for (const name of names) run(COMMANDS[name], model); // once for the file cache
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const one = run(COMMANDS[name], model);
      times[name].push(one.seconds);
      processor[name].push(one.processor);
    }
    for (const name of names) toDisk[name].push(run(COMMANDS[name], model, {}, true).seconds);
  }
  for (const name of names) {
    const ratios = times[name].map((time, round) => time / times.cp[round]);
    const disk = toDisk[name].map((time, round) => time / toDisk.cp[round]);
    const held = name === 'cp' || name.startsWith('limit') ? undefined : peak(COMMANDS[name], model);
    const two = (value) => value.toFixed(2);
    const spread = [Math.min(...ratios), Math.max(...ratios)].map(two);
    const figures = [median(times[name]), median(ratios)].map(two);
    const onDisk = [median(toDisk[name]), median(disk)].map(two);
    const least = two(Math.min(...processor[name]));
    lines.push([wanted, name, ...figures, ...spread, ...onDisk, least, held?.toFixed(0) ?? ''].join(','));
    const shown = held === undefined ? '–' : `${held.toFixed(0)} MB`;
    const cells = [
      weights(wanted),
      name.replace('|', '\\|'),
      figures[0],
      `${figures[1]}×`,
      spread.join('–'),
      onDisk[0],
      `${onDisk[1]}×`,
      least,
      shown,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}
const file = join(root, 'benchmarks/results/growth.csv');
const measured = new Set(values.sizes.split(','));
const sizeOf = (line) => line.slice(0, line.indexOf(','));
const kept = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .filter((line) => !measured.has(sizeOf(line)));
const all = [...kept, ...lines].sort(
  (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || sizeOf(a).length - sizeOf(b).length,
);
writeFileSync(file, `${[HEAD, ...all].join('\n')}\n`);

/** The same as the table of the documentation. */
const rows = all.map((line) => {
  const [size, name, seconds, ratio, , , disk, diskRatio, processor, held] = line.split(',');
  const command = name === 'cp' ? '`cp`' : name.replaceAll('|', '\\|');
  const peak = held === '' ? '–' : `${held} MB`;
  return `| ${[weights(size), command, seconds, `${ratio}×`, disk, `${diskRatio}×`, processor, peak].join(' | ')} |`;
});
const table = [
  '| weights | command | seconds | of `cp` | to the disk | of `cp` | processor | peak memory |',
  '| --: | --- | --: | --: | --: | --: | --: | --: |',
  ...rows,
];
const page = join(root, 'docs/performance.md');
const text = readFileSync(page, 'utf8');
writeFileSync(
  page,
  text.replace(
    /(<!-- growth -->\n)[\s\S]*?(<!-- \/growth -->)/,
    (_, start, end) => `${start}${table.join('\n')}\n${end}`,
  ),
);
