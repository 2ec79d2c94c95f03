/**
 * The command line in one process for all tests of a file, because a start takes longer than most commands. `cli.ts`
 * tests that the program starts, reads piped input and ends by itself.
 */
import { once } from 'node:events';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { afterAll } from '@jest/globals';
import { compress as compressOnce, environment, type Result, type RunOptions } from './cli.ts';

/** Longer than any command of a test takes, on any machine. */
const PATIENCE_MS = 300_000;

/** The answer: the result of a command, or why there is none. */
type Answer =
  | { readonly code: number; readonly stdout: Uint8Array; readonly stderr: string }
  | { readonly error: string };

/** Starts commands for a waiting thread. */
interface Resident {
  ask(args: readonly string[], cwd: string): Answer;
  close(): Promise<unknown>;
}

let resident: Resident | undefined;
afterAll(async () => {
  await resident?.close();
  resident = undefined;
});

/** Runs `onnx-compress` with these arguments; in its own process if it has other variables or an input. */
export function compress(args: readonly string[], options: RunOptions = {}): Result {
  if (options.input !== undefined || options.env !== undefined) return compressOnce(args, options);
  resident ??= start();
  const answer = resident.ask(args, options.cwd ?? process.cwd());
  if ('error' in answer) throw new Error(`${args.join(' ')}: ${answer.error}`);
  return { ...answer, stdout: Buffer.from(answer.stdout) };
}

function start(): Resident {
  const { port1: port, port2: other } = new MessageChannel();
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('residentWorker.mjs', import.meta.url), {
    workerData: { port: other, answered, env: environment() },
    transferList: [other],
  });
  worker.unref();
  port.unref();
  return {
    ask(args, cwd) {
      Atomics.store(answered, 0, 0);
      port.postMessage({ args, cwd });
      Atomics.wait(answered, 0, 0, PATIENCE_MS);
      const received = receiveMessageOnPort(port) as { readonly message: Answer } | undefined;
      return received?.message ?? { error: `no answer in ${PATIENCE_MS} ms` };
    },
    close() {
      port.postMessage(undefined);
      return once(worker, 'exit');
    },
  };
}
