// What the machine can do: a Node program that does nothing but read a file and write it, 256 KiB at a time (the
// fastest here), on two threads.
//   node benchmarks/limit.js m.onnx out.onnx
// With m.onnx.data beside it, that file too. No check, no model, no arithmetic: nothing that Node runs copies sooner.
import { closeSync, existsSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const CHUNK = 1 << 18;
const THREADS = 2;

if (isMainThread) {
  const [, , from, to] = process.argv;
  for (const suffix of ['', '.data']) if (existsSync(from + suffix)) await copy(from + suffix, to + suffix);
} else {
  const { input, output, start, end } = workerData;
  const bytes = Buffer.allocUnsafeSlow(CHUNK);
  for (let at = start; at < end; at += CHUNK) {
    const length = Math.min(CHUNK, end - at);
    readSync(input, bytes, 0, length, at);
    writeSync(output, bytes, 0, length, at);
  }
}

async function copy(from, to) {
  const { size } = statSync(from);
  const [input, output] = [openSync(from, 'r'), openSync(to, 'w')];
  const part = Math.ceil(size / THREADS / CHUNK) * CHUNK;
  await Promise.all(
    Array.from({ length: THREADS }, (_, index) => {
      const task = { input, output, start: index * part, end: Math.min(size, (index + 1) * part) };
      const thread = new Worker(fileURLToPath(import.meta.url), { workerData: task });
      return new Promise((resolve, reject) => thread.on('exit', resolve).on('error', reject));
    }),
  );
  closeSync(input);
  closeSync(output);
}
