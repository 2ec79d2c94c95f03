import { type FileExecutor, setFileExecutor } from '../../compute/executor.ts';
import { threadCount } from './helpers.ts';
import { isShared, partsFor, threadsFor } from './work.ts';

/** Threads come with the kernels, which most models do without: they are loaded at the first computation. */
const threads: FileExecutor = {
  threadCount,
  isShared,
  threadsFor,
  partsFor,
  run: async (stored, parts) => (await import('./run.ts')).runParts(stored, parts),
  runAlone: async (stored, job) => (await import('./run.ts')).runAlone(stored, job),
  write: async (...what) => (await import('./run.ts')).write(...what),
};

/** Has threads of this process compute over the files it opens. */
export function useThreads(): void {
  setFileExecutor(threads);
}
