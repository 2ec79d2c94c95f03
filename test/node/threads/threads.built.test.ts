/** Other threads write what this one computes. They run the built package, so these tests run it too. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { compress, ROOT, shell } from '../../support/cli.ts';
import { randomFloats } from '../../support/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'compress-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [ROWS, COLUMNS] = [1101, 1301];
writeFileSync(join(folder, 'weights'), randomFloats([ROWS, COLUMNS]));

/** Runs code in a process of its own, with the built compute room and a stored tensor at hand; gives what it prints. */
function built(code: string): unknown {
  const script = `
    import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
    import { fileSource } from '${ROOT}/dist/node/files/source.js';
    import { Segment } from '${ROOT}/dist/onnx/segment.js';
    import { bytesSource } from '${ROOT}/dist/bytes/source.js';
    import { referringSource } from '${ROOT}/dist/node/files/references.js';
    import { copied } from '${ROOT}/dist/compute/copy.js';
    import { quantizedStream, rangeOfStored, transposedStream } from '${ROOT}/dist/compute/linear.js';
    import { StoredMagnitudes } from '${ROOT}/dist/compute/magnitude.js';
    import { expectWork } from '${ROOT}/dist/node/threads/work.js';
    import { crewSize } from '${ROOT}/dist/node/threads/crew.js';
    import { threadCount } from '${ROOT}/dist/node/threads/helpers.js';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { thresholdWithin } from '${ROOT}/dist/kernels/bracket.js';
    import { selectThreshold } from '${ROOT}/dist/kernels/magnitude.js';
    const source = await fileSource('${join(folder, 'weights')}');
    const stored = new Segment(source, 0, source.byteLength);
    /** Until all threads are there: without them this one would do everything. */
    async function crew() {
      expectWork(2 ** 30);
      for (const start = Date.now(); crewSize() < threadCount(); await sleep(2)) {
        if (Date.now() - start > 30_000) throw new Error('the other threads do not start');
      }
    }
    const layout = { outer: ${ROWS}, channels: ${COLUMNS}, inner: 1 };
    async function gathered(stream) {
      const chunks = [];
      for await (const chunk of stream.chunks()) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks);
    }
    async function written(stream) {
      const path = '${join(folder, 'out')}';
      const fd = openSync(path, 'w');
      await stream.writeTo({ fd, position: 5 });
      closeSync(fd);
      return readFileSync(path).subarray(5);
    }
    /** The same behind what a file has, as into a pipe; and the pieces that are shown meanwhile. */
    async function behind(stream) {
      const path = '${join(folder, 'behind')}';
      const fd = openSync(path, 'w');
      writeSync(fd, 'before');
      const shown = [];
      const watcher = {
        wanted: (start, byteLength) => [[0, 9], [70_000, 5], [2_500_000, 3000]]
          .map(([from, length]) => [Math.max(start, 1000 + from), Math.min(start + byteLength, 1000 + from + length)])
          .filter(([from, end]) => from < end)
          .map(([from, end]) => ({ start: from, byteLength: end - from })),
        show: (start, bytes) => shown.push([start - 1000, Buffer.from(bytes)]),
      };
      await stream.writeTo({ fd, position: undefined, watching: { watcher, start: 1000 } });
      writeSync(fd, 'after');
      closeSync(fd);
      const all = readFileSync(path);
      const bytes = all.subarray(6, -5);
      const seen = shown.reduce((sum, [, one]) => sum + one.length, 0);
      const most = Math.max(0, Math.min(3000, bytes.length - 2_500_000));
      const right = shown.every(([start, one]) => one.equals(bytes.subarray(start, start + one.length)));
      const around = all.subarray(0, 6).toString() === 'before' && all.subarray(-5).toString() === 'after';
      return { bytes, right: around && right && seen === 9 + 5 + most };
    }
    ${code}`;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 120_000 }),
  );
}

test('ranges, integers, transposed integers, pruned weights and copies are those of one thread', () => {
  const result = built(`
    const alone = await rangeOfStored(stored, { format: 'float32', layout });
    const one = new StoredMagnitudes(stored);
    const count = 500000;
    const once = (value) => async function* () { yield value; };
    const add = (into, item, prefix) => item.addDigits(into, prefix);
    const thresholdAlone = await selectThreshold(once(one), 2, count, add);
    const prunedAlone = await one.prune({ ...thresholdAlone });
    await crew();
    const range = await rangeOfStored(stored, { format: 'float32', layout });
    const many = new StoredMagnitudes(stored);
    const threshold = await selectThreshold(once(many), 2, count, add);
    const pruned = await many.prune({ ...threshold });
    const bits = threshold.key[0] * 65536 + threshold.key[1];
    const surveyed = new StoredMagnitudes(stored);
    const parts = await surveyed.survey({ low: bits - 50000, high: bits + 50000 });
    const within = thresholdWithin(parts, count);
    const prunedWithin = await surveyed.prune({ ...within });
    const selecting = new StoredMagnitudes(stored);
    const selected = await selecting.select(count);
    const special = await selecting.countSpecial();
    const prunedSelected = await selecting.prune({ ...selected });
    const scale = Float32Array.from(range.max, (max, index) => Math.max(max, -range.min[index]) / 127);
    const params = { scale, zeroPoint: new Int32Array(scale.length), min: -127, max: 127 };
    const row = { scale: scale.slice(0, 1), zeroPoint: new Int32Array(1), min: -127, max: 127 };
    const streams = {
      quantized: quantizedStream(stored, { format: 'float32', layout }, params),
      transposed: transposedStream(stored, 'float32', [${ROWS}, ${COLUMNS}], row),
      pruned: pruned.stream,
      surveyed: prunedWithin.stream,
      selected: prunedSelected.stream,
      copied: copied(stored),
    };
    const same = {};
    for (const [name, stream] of Object.entries(streams)) {
      const alone = await gathered(stream);
      const ordered = await behind(stream);
      same[name] = stream.fromFile() && (await written(stream)).equals(alone) && ordered.bytes.equals(alone) && ordered.right;
    }
    same.range = Buffer.from(range.min.buffer).equals(Buffer.from(alone.min.buffer)) && Buffer.from(range.max.buffer).equals(Buffer.from(alone.max.buffer));
    same.surveyed &&= parts.length === threadCount() && (await gathered(prunedWithin.stream)).equals(await gathered(pruned.stream));
    same.within = JSON.stringify(within) === JSON.stringify(threshold) && prunedWithin.lost === pruned.lost;
    same.selected &&= JSON.stringify(selected) === JSON.stringify(threshold) && prunedSelected.lost === pruned.lost
      && special.zeros === (await many.countSpecial()).zeros && (await gathered(prunedSelected.stream)).equals(await gathered(pruned.stream));
    same.threshold = JSON.stringify(threshold) === JSON.stringify(thresholdAlone) && pruned.lost === prunedAlone.lost;
    console.log(JSON.stringify({ threads: threadCount(), same }));
    await source.close();`) as { threads: number; same: Record<string, boolean> };
  // One processor: no threads.
  const expected = result.threads > 1;
  for (const name of ['quantized', 'transposed', 'pruned', 'surveyed', 'selected', 'copied'])
    expect([name, result.same[name]]).toEqual([name, expected]);
  expect([result.same['range'], result.same['threshold'], result.same['within']]).toEqual([true, true, true]);
});

test('a pruned weight that lies elsewhere, as another process of ours would read it', () => {
  // Few values: of the elements at the threshold some become zero, and some stay.
  const coarse = Float32Array.from({ length: ROWS * COLUMNS }, (_, index) => (((index * 7919) % 17) - 8) / 8);
  writeFileSync(join(folder, 'coarse'), coarse);
  const result = built(`
    await crew();
    const file = await fileSource('${join(folder, 'coarse')}');
    const weight = new Segment(file, 0, file.byteLength);
    const same = {};
    for (const count of [1, 400_000, 700_000, 700_001, ${ROWS * COLUMNS} - 1, ${ROWS * COLUMNS}]) {
      const magnitudes = new StoredMagnitudes(weight);
      const { stream } = await magnitudes.prune(await selectThreshold(async function* () { yield magnitudes; }, 2, count,
        (into, item, prefix) => item.addDigits(into, prefix)));
      const place = await stream.place();
      const reference = { at: 0, byteLength: file.byteLength, place };
      const elsewhere = referringSource(bytesSource(new Uint8Array(file.byteLength)), {
        references: [reference], async unchanged() {}, async close() {} });
      const there = new Segment(elsewhere, 0, file.byteLength);
      const expected = await gathered(stream);
      const zeros = new Float32Array(Uint8Array.from(expected).buffer).filter((one) => one === 0).length;
      const range = await rangeOfStored(there, { format: 'float32', layout });
      const selected = new StoredMagnitudes(there);
      const here = new StoredMagnitudes(new Segment(bytesSource(expected), 0, file.byteLength));
      const piped = await behind(copied(there));
      same[count] = zeros >= count && piped.bytes.equals(expected) && piped.right && there.file?.zeroed !== undefined
        && (await written(copied(there))).equals(expected) && (await gathered(copied(there))).equals(expected)
        && Buffer.from(range.max.buffer).equals(Buffer.from((await rangeOfStored(
          new Segment(bytesSource(expected), 0, file.byteLength), { format: 'float32', layout })).max.buffer))
        && (await selected.select(${ROWS * COLUMNS}), await selected.countSpecial()).zeros === zeros
        && (await here.countSpecial()).zeros === zeros
        && JSON.stringify(await copied(there).place()) === JSON.stringify(place)
        && (await (await selected.prune({ key: [0x3f00, 0], ties: 0 })).stream.place()) === undefined;
    }
    console.log(JSON.stringify({ threads: threadCount(), same }));
    await file.close();
    await source.close();`) as { threads: number; same: Record<string, boolean> };
  if (result.threads < 2) return;
  expect(Object.values(result.same)).toEqual(Array(6).fill(true));
});

test('a write that fails in a thread keeps its code; a file that became shorter is named', () => {
  const result = built(`
    await crew();
    const fd = openSync('${join(folder, 'weights')}', 'r');
    const failed = await copied(stored).writeTo({ fd, position: 0 }).catch((cause) => cause.code);
    const longer = new Segment(source, 0, source.byteLength * 2);
    const out = openSync('${join(folder, 'out')}', 'w');
    const short = await copied(longer).writeTo({ fd: out, position: 0 }).catch((cause) => [cause.name, cause.message]);
    // Parts that wait for their turn do not wait for one that failed.
    const failedBehind = await copied(stored).writeTo({ fd, position: undefined }).catch((cause) => cause.code);
    const shortBehind = await copied(longer).writeTo({ fd: out, position: undefined }).catch((cause) => [cause.name, cause.message]);
    console.log(JSON.stringify({ threads: threadCount(), failed: [failed, failedBehind], short: [short, shortBehind] }));
    await source.close();`) as { threads: number; failed: string[]; short: string[][] };
  if (result.threads < 2) return;
  expect(result.failed).toEqual(['EBADF', 'EBADF']);
  for (const [name, message] of result.short) {
    expect(name).toBe('CompressError');
    expect(message).toContain('became shorter while it was being read');
  }
});

test('a model large enough for threads: the disk ends, and nothing is left', () => {
  execFileSync(process.execPath, [join(ROOT, 'benchmarks/models.js'), 'matmuls', '512', join(folder, 'm.onnx')]);
  // 20 MB is less than the 134 MB that the result needs.
  const before = readdirSync(folder).sort();
  const script = `ulimit -f 20000; trap '' XFSZ; "${process.execPath}" "${join(ROOT, 'bin/compress.js')}" quantize m.onnx -o small.onnx`;
  let said = '';
  try {
    execFileSync('bash', ['-c', script], { cwd: folder, stdio: 'pipe' });
  } catch (cause) {
    said = String((cause as { stderr: Buffer }).stderr);
  }
  expect(said).toMatch(/^error: small\.onnx: .*(too large|EFBIG)/);
  expect(readdirSync(folder).sort()).toEqual(before);
  const done = compress(['quantize', '-q', 'm.onnx', '-o', 'small.onnx'], { cwd: folder });
  expect([done.code, done.stderr]).toEqual([0, '']);
  expect(readFileSync(join(folder, 'small.onnx')).length).toBeGreaterThan(134_000_000);
}, 60_000);

test('one processor, and so one thread, writes the same', () => {
  const done = shell(
    `set -e
    alone() { if command -v taskset > /dev/null; then taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')" "$@"; else "$@"; fi; }
    onnx-compress prune --l1 0.4 m.onnx -q -o named.onnx
    alone "$NODE" "$CLI" prune --l1 0.4 m.onnx -q -o alone.onnx; cmp alone.onnx named.onnx; rm alone.onnx named.onnx
    alone "$NODE" "$CLI" quantize m.onnx -q -o alone.onnx; cmp alone.onnx small.onnx; rm alone.onnx
    onnx-compress quantize --int4 --form multipliers m.onnx -q -o named.onnx
    alone "$NODE" "$CLI" quantize --int4 --form multipliers m.onnx -q -o alone.onnx; cmp alone.onnx named.onnx; rm alone.onnx named.onnx`,
    { cwd: folder, env: { NODE: process.execPath, CLI: join(ROOT, 'bin/compress.js') } },
  );
  expect([done.code, done.stderr]).toEqual([0, '']);
}, 120_000);

// Elsewhere models go through the pipe as they are.
const linux = process.platform === 'linux' ? test : test.skip;

linux(
  'what comes behind a model that is handed over is an error, in a dry run too, and nothing is left',
  () => {
    const behind = '{ onnx-compress prune --l1 0.4 m.onnx -q; printf tail; }';
    for (const last of ['onnx-compress quantize -q -o behind.onnx', 'onnx-compress quantize -q --dry-run']) {
      const done = shell(`${behind} | ${last}`, { cwd: folder });
      expect(done.stderr).toMatch(/^error: <stdin>: there is data after the model\n/);
      expect([done.code, readdirSync(folder).includes('behind.onnx')]).toEqual([1, false]);
    }
  },
  60_000,
);

test('the same model through a pipe, into a file, behind what is in it, and with a report', () => {
  const done = shell(
    `set -e -o pipefail
    onnx-compress prune --l1 0.4 m.onnx -o named.onnx 2> named.txt
    onnx-compress prune --l1 0.4 m.onnx 2> piped.txt | cmp - named.onnx
    { printf before; onnx-compress prune --l1 0.4 m.onnx -q; printf after; } > group.bin
    { printf before; cat named.onnx; printf after; } | cmp - group.bin
    printf before > append.bin; onnx-compress prune --l1 0.4 m.onnx -q >> append.bin; printf after >> append.bin
    cmp append.bin group.bin
    onnx-compress quantize named.onnx -q -o named8.onnx
    onnx-compress quantize -q < named.onnx > small8.onnx; cmp small8.onnx named8.onnx
    onnx-compress quantize named.onnx -q -o piped8.onnx --force; cmp piped8.onnx named8.onnx
    onnx-compress copy m.onnx -q | cmp - m.onnx
    set +e +o pipefail; onnx-compress prune --l1 0.4 m.onnx -q | head -c 40000000 > /dev/null; echo \${PIPESTATUS[0]}`,
    { cwd: folder },
  );
  expect(done.stdout.toString()).toBe('1\n');
  expect([done.code, done.stderr]).toEqual([0, 'error: <stdout>: the command that reads the output has stopped\n']);
  // The estimate for gzip too: what threads write is looked at as well.
  const reports = ['named', 'piped'].map((name) => {
    const [verdict = '', ...rest] = readFileSync(join(folder, `${name}.txt`), 'utf8').split('\n');
    return [/about [\d.]+ MB with gzip/.exec(verdict)?.[0], ...rest];
  });
  expect(reports[0]?.[0]).toBeDefined();
  expect(reports[1]).toEqual(reports[0]);
}, 120_000);
