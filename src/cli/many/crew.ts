import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome, Task } from './task.ts';

/** Whoever runs tasks, one at a time. */
export interface Hand {
  run(task: Task): Promise<Outcome>;
  close(): void;
}

/**
 * Runs tasks, as many at once as there are hands; each takes the next one when it is done.
 * @param done - called with each outcome in the order of the tasks, when it and all before it are there
 */
export async function runAll(
  tasks: readonly Task[],
  hands: readonly Hand[],
  done: (outcome: Outcome, index: number) => void,
): Promise<void> {
  const early = new Map<number, Outcome>();
  let next = 0;
  let told = 0;
  const work = async (hand: Hand): Promise<void> => {
    for (let index = next++; index < tasks.length; index = next++) {
      early.set(index, await hand.run(tasks[index] as Task));
      for (let one = early.get(told); one !== undefined; one = early.get(told)) {
        early.delete(told);
        done(one, told++);
      }
    }
  };
  try {
    await Promise.all(hands.map(work));
  } finally {
    for (const hand of hands) hand.close();
  }
}

/** A process that runs tasks: when it ends amid one, only that has failed. */
export function childHand(): Hand {
  let child: ChildProcess | undefined;
  return {
    run: (task) => {
      // One that ended while it had nothing to do takes no task, and there is none to let go.
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
    // It ends by itself: nobody is connected any more.
    close: () => {
      if (child?.connected) child.disconnect();
    },
  };
}

function begin(): ChildProcess {
  // Beside this file, or beside the bundle it is part of.
  const path = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url));
  const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const;
  const child = fork(path, { serialization: 'advanced', execArgv: [], stdio: [...stdio] });
  // What it says of itself, as of memory that is used up. It has no terminal, and shows no bars there.
  child.stderr?.pipe(process.stderr, { end: false });
  return child;
}
