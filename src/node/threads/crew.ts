/** This thread and its helpers. Tasks wait in one queue; the next free thread takes the first. */

import { type Helper, startHelpers } from './helpers.ts';
import { runHere, runOrderedHere } from './here.ts';
import type { OrderedTask } from './ordered.ts';
import type { Outcome } from './transfer.ts';
import type { Task } from './worker.ts';

/** A task that no thread has taken yet. */
interface Waiting {
  readonly task: Task;
  readonly settle: (outcome: Promise<Outcome>) => void;
}

const line: Waiting[] = [];
/** Helpers that have started and are available. */
const ready: Helper[] = [];
let starting = false;
let working = false;

/**
 * Starts the helpers on the first call. They take tasks once they are ready; until then, and if they cannot start, this
 * thread does everything.
 */
export function startCrew(): void {
  if (starting) return;
  starting = true;
  const join = async (helper: Helper): Promise<void> => {
    await helper.run();
    ready.push(helper);
    give();
  };
  startHelpers().then(
    (helpers) => helpers.map((helper) => join(helper).catch(() => {})),
    () => {},
  );
}

/** Lets the next free thread run a task. */
export function perform(task: Task): Promise<Outcome> {
  return new Promise((resolve) => {
    line.push({ task, settle: resolve });
    give();
    if (working) return;
    working = true;
    // More tasks may arrive before this thread looks.
    setImmediate(work);
  });
}

/** This thread's share: runs tasks as long as there are any. */
async function work(): Promise<void> {
  for (;;) {
    give();
    const next = line.shift();
    if (next === undefined) break;
    const done = runHere(next.task);
    next.settle(done);
    await done.catch(() => {});
  }
  working = false;
}

/** Gives tasks to helpers: one to each idle helper, and a second one in advance while there are enough for all. */
function give(): void {
  for (const depth of [1, 2]) {
    for (const helper of ready) {
      if (helper.outstanding >= depth || line.length <= (depth - 1) * (ready.length + 1)) continue;
      const { task, settle } = line.shift() as Waiting;
      const done = helper.run(task);
      // Reading and writing at positions can be repeated: if the thread is gone, it is done here.
      settle(
        done.catch(() => {
          leave(helper);
          return runHere(task);
        }),
      );
      done.catch(() => {}).finally(give);
    }
  }
}

/** Removes a helper that is gone. */
function leave(helper: Helper): void {
  const index = ready.indexOf(helper);
  if (index >= 0) ready.splice(index, 1);
}

/**
 * Runs tasks that wait for each other, one per thread. There must be at most one more than there are started helpers.
 */
export function performTogether(tasks: readonly OrderedTask[]): Promise<Outcome>[] {
  return tasks.map((task, index) => {
    const helper = ready[index - 1];
    return index === 0 || helper === undefined ? runOrderedHere(task) : helper.run(task);
  });
}

/** The number of tasks waiting for each other that can run at the same time. */
export function crewSize(): number {
  return ready.length + 1;
}
