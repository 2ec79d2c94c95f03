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
/** Helpers that have started and work. */
const ready: Helper[] = [];
let starting = false;
let working = false;

/**
 * Starts the helpers, at the first call. They take tasks when they are there; until then, and where they cannot start,
 * this thread does all.
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

/** Has the next free thread do a task. */
export function perform(task: Task): Promise<Outcome> {
  return new Promise((resolve) => {
    line.push({ task, settle: resolve });
    give();
    if (working) return;
    working = true;
    // Others may come before this thread looks.
    setImmediate(work);
  });
}

/** This thread's share: one task after the other, as long as there are any. */
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

/**
 * Gives tasks to helpers: one to each that has none, and a second one for later while there are enough for everybody.
 */
function give(): void {
  for (const depth of [1, 2]) {
    for (const helper of ready) {
      if (helper.outstanding >= depth || line.length <= (depth - 1) * (ready.length + 1)) continue;
      const { task, settle } = line.shift() as Waiting;
      const done = helper.run(task);
      // Reading and writing at places can be done again: here, should the thread have gone.
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

/** A helper that has gone gets nothing more to do. */
function leave(helper: Helper): void {
  const index = ready.indexOf(helper);
  if (index >= 0) ready.splice(index, 1);
}

/**
 * Has tasks done that wait for each other, one of them by each thread: they must not be more than there are helpers
 * that have started, and one.
 */
export function performTogether(tasks: readonly OrderedTask[]): Promise<Outcome>[] {
  return tasks.map((task, index) => {
    const helper = ready[index - 1];
    return index === 0 || helper === undefined ? runOrderedHere(task) : helper.run(task);
  });
}

/** How many tasks that wait for each other can be done at the same time. */
export function crewSize(): number {
  return ready.length + 1;
}
