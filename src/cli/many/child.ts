/** A process that runs jobs one after the other, for `--jobs`. */
import { setPatternTester } from '../../layers/pattern.ts';
import { takeLeftoverNotes } from '../../node/files/leftovers.ts';
import { removeTemporaries } from '../../node/files/sink.ts';
import { boundedTester } from '../../node/patterns.ts';
import { loadVerb } from '../commands/index.ts';
import { onSignals } from '../signals.ts';
import { runTask, type Task } from './task.ts';

onSignals();
setPatternTester(boundedTester());
// The process that wanted the results has ended.
process.on('disconnect', () => {
  removeTemporaries();
  process.exit(1);
});
process.on('message', async (task: Task) => {
  const outcome = await runTask(task, loadVerb);
  const notes = [...(outcome.notes ?? []), ...takeLeftoverNotes()];
  process.send?.({ ...outcome, notes });
});
