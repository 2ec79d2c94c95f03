import type { Graph } from '../ir/graph.ts';
import type { ReadContext } from './context.ts';
import { refuseExternal } from './external.ts';
import { LENGTH, TRAINING } from './fields.ts';
import { holdsExternal } from './origin.ts';
import { readGraph } from './readGraph.ts';
import type { Reading } from './reading.ts';
import type { Field } from './wireField.ts';

/** Names a training graph refers to: its nodes' inputs, and both sides of its bindings. */
export function* readTrainingNames(context: ReadContext, field: Field, names: Set<string>): Reading<void> {
  const { skim } = context;
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    if (one.number === TRAINING.initialization || one.number === TRAINING.algorithm) {
      const graph = yield* readGraph(context, one, 'training_info');
      // The training graph is copied unread, so its data files would have to stay where they are.
      if (holdsExternal(graph)) throw refuseExternal(context, 'training_info');
      collect(graph, names);
    } else if (one.number === TRAINING.initializationBinding || one.number === TRAINING.updateBinding) {
      skim.expect(one, LENGTH);
      yield* skim.walk(one.start, one.end, function* (side) {
        if (side.number <= 2) names.add(yield* skim.text(side));
      });
    }
  });
}

function collect(graph: Graph, names: Set<string>): void {
  for (const node of graph.nodes) for (const name of node.inputs) names.add(name);
  for (const body of graph.bodies) collect(body, names);
}
