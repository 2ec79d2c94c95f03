import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome, Task } from './task.ts';

/** A worker that runs one task at a time. */
export interface TaskWorker {
  run(task: Task): Promise<Outcome>;
  close(): void;
}

/**
 * Runs tasks, as many at once as there are workers; a worker takes the next task when it has finished one.
 * @param done - called with each outcome, in the order of the tasks
 */
export async function runAll(
  tasks: readonly Task[],
  workers: readonly TaskWorker[],
  done: (outcome: Outcome, index: number) => void,
): Promise<void> {
  const early = new Map<number, Outcome>();
  let next = 0;
  let reported = 0;
  const work = async (worker: TaskWorker): Promise<void> => {
    for (let index = next++; index < tasks.length; index = next++) {
      early.set(index, await worker.run(tasks[index] as Task));
      for (let one = early.get(reported); one !== undefined; one = early.get(reported)) {
        early.delete(reported);
        done(one, reported++);
      }
    }
  };
  try {
    await Promise.all(workers.map(work));
  } finally {
    for (const worker of workers) worker.close();
  }
}

/** A worker process. If it ends during a task, only that task fails. */
export function childWorker(): TaskWorker {
  let child: ChildProcess | undefined;
  return {
    run: (task) => {
      // A process that ended while idle is replaced.
      const here = child?.connected ? child : begin();
      child = here;
      return new Promise((resolve) => {
        const fail = (message: string): void => {
          child = undefined;
          finish({ stdout: '', stderr: '', failure: { code: 'internal', where: '', message } });
        };
        const onError = (cause: Error): void => fail(`no process could be started: ${cause.message}`);
        const onExit = (code: number | null, signal: string | null): void =>
          fail(`the process that worked on it ended with ${signal ?? `code ${code}`}`);
        const finish = (outcome: Outcome): void => {
          here.off('error', onError).off('exit', onExit).off('message', finish);
          resolve(outcome);
        };
        here.on('error', onError).on('exit', onExit).on('message', finish);
        here.send(task);
      });
    },
    // The process ends by itself once it is disconnected.
    close: () => {
      if (child?.connected) child.disconnect();
    },
  };
}

function begin(): ChildProcess {
  // Next to this file, or next to the bundle that contains it.
  const path = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url));
  const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const;
  const child = fork(path, { serialization: 'advanced', execArgv: [], stdio: [...stdio] });
  // Messages of the process itself, e.g. about exhausted memory. It has no terminal, so it shows no bars.
  child.stderr?.pipe(process.stderr, { end: false });
  return child;
}
