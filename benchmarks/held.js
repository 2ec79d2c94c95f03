// Quantizing needs two looks at a weight: for its scales, then for its values. Is it sooner done when the bytes of the
// first look are kept for the second one, or when they are read twice, a chunk at a time?
//   npm run build && node benchmarks/held.js
// 1 GiB of float32 in slices of 32 MiB, on one thread and on two; prints the least seconds of five rounds for all of
// it.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Arena } from '../dist/kernels/simd/arena.js';
import { weight } from './models.js';

const COLUMNS = 4096;
const SLICE = 32 << 20;
const CHUNK = 2 << 20;
const SLICES = 32;
const ROWS = CHUNK / 4 / COLUMNS;

/** Both looks at every slice of one thread. */
function look({ input, output, slices, kept }) {
  const arena = new Arena();
  const held = arena.allocate(kept ? SLICE : CHUNK);
  const [out, low, high, scale] = [CHUNK / 4, 4 * COLUMNS, 4 * COLUMNS, 4 * COLUMNS].map((size) =>
    arena.allocate(size),
  );
  arena.floats(scale, COLUMNS).fill(0.01);
  const { rangeColumns, quantizeColumns } = arena.kernels;
  const place = (at) => held + (kept ? at : 0);
  const read = (slice, at) => readSync(input, arena.bytes(place(at), CHUNK), 0, CHUNK, slice * SLICE + at);
  const before = performance.now();
  for (const slice of slices) {
    for (let at = 0; at < SLICE; at += CHUNK) {
      read(slice, at);
      rangeColumns(place(at), ROWS, COLUMNS, COLUMNS, low, high);
    }
    for (let at = 0; at < SLICE; at += CHUNK) {
      if (!kept) read(slice, at);
      quantizeColumns(place(at), ROWS, COLUMNS, COLUMNS, scale, 0, -127, 127, out, COLUMNS);
      writeSync(output, arena.bytes(out, CHUNK / 4), 0, CHUNK / 4, (slice * SLICE + at) / 4);
    }
  }
  return performance.now() - before;
}

if (isMainThread) {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const input = openSync(join(folder, 'in'), 'w+');
  const bytes = weight(COLUMNS);
  for (let at = 0; at < SLICES * SLICE; at += bytes.length) writeSync(input, bytes, 0, bytes.length, at);
  const least = new Map();
  for (let round = 0; round < 5; round++) {
    for (const threads of [1, 2]) {
      for (const kept of [false, true]) {
        const output = openSync(join(folder, 'out'), 'w');
        const shares = Array.from({ length: threads }, (_, thread) =>
          Array.from({ length: SLICES }, (__, slice) => slice).filter((slice) => slice % threads === thread),
        );
        const took = await Promise.all(
          shares.map((slices) => {
            const task = { input, output, slices, kept };
            const thread = new Worker(fileURLToPath(import.meta.url), { workerData: task });
            return new Promise((resolve, reject) => thread.on('message', resolve).on('error', reject));
          }),
        );
        closeSync(output);
        const name = `${threads} ${threads === 1 ? 'thread' : 'threads'}, ${kept ? 'kept in memory' : 'read twice'}`;
        least.set(name, Math.min(least.get(name) ?? Number.POSITIVE_INFINITY, Math.max(...took)));
      }
    }
  }
  closeSync(input);
  for (const [name, milliseconds] of least) console.log(`${name}: ${(milliseconds / 1000).toFixed(2)} s`);
} else {
  parentPort.postMessage(look(workerData));
}
