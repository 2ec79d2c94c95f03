import type { Model } from '../../ir/model.ts';
import { Types } from './types.ts';

/**
 * The values whose ranges `float16` asks for, by name: every float32 one of the main graph that is not a constant.
 * Functions are told apart only once they are written out.
 */
export function halfValues(model: Model): string[] {
  const { graph } = model;
  const types = new Types(model);
  const made = graph.nodes.flatMap((node) => (graph.constant(node.outputs[0] ?? '') === undefined ? node.outputs : []));
  return [...graph.fedInputs.map((one) => one.name), ...made].filter(
    (name) => name !== '' && types.of(graph, name) === 'float32',
  );
}
