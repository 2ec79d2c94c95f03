import { type FileExecutor, setFileExecutor } from '../../compute/executor.ts';
import { threadCount } from './helpers.ts';
import { isShared, partsFor, threadsFor } from './work.ts';

/** Threads are loaded with the kernels, at the first computation, because most models do not need them. */
const threads: FileExecutor = {
  threadCount,
  isShared,
  threadsFor,
  partsFor,
  run: async (stored, parts) => (await import('./run.ts')).runParts(stored, parts),
  runAlone: async (stored, job) => (await import('./run.ts')).runAlone(stored, job),
  write: async (...what) => (await import('./run.ts')).write(...what),
};

/** Lets threads of this process compute over the files it opens. */
export function useThreads(): void {
  setFileExecutor(threads);
}
