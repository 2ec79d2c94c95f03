import { findAttribute, intAttribute } from '../../ir/node.ts';
import { type Adapter, rewritten, without } from './adapter.ts';

/** Statistics per activation (`spatial = 0`) were removed. */
export const batchNormalizationTo9: Adapter = (node) => {
  if (intAttribute(node, 'spatial', 1) === 0) return { refused: 'its attribute spatial = 0 was removed in opset 9' };
  if (findAttribute(node, 'spatial') === undefined) return { nodes: [node] };
  return rewritten(node, { attributes: without(node, 'spatial') });
};

/** Up to opset 13, further outputs mean training mode; from 14 on an attribute sets it, and the outputs differ. */
export const batchNormalizationTo14: Adapter = (node) => {
  if (node.outputs.slice(1).some((one) => one !== '')) {
    return { refused: 'it has outputs for training, which opset 14 defines differently' };
  }
  return node.outputs.length === 1 ? { nodes: [node] } : rewritten(node, { outputs: node.outputs.slice(0, 1) });
};

/** Scatter is deprecated; ScatterElements does the same. */
export const scatterTo11: Adapter = (node) => rewritten(node, { opType: 'ScatterElements' });

/** Erf no longer accepts integers. */
export const erfTo13: Adapter = (node, scope) => {
  const dtype = scope.facts.dtype(scope.graph, node.inputs[0] ?? '');
  // An unknown type is accepted: no known runtime has an integer Erf, and Gelu often follows untyped values.
  return dtype?.includes('int')
    ? { refused: `it computes on ${dtype}, and opset 13 accepts only floats` }
    : { nodes: [node] };
};

/** Refuses a node that the newer version cannot express. */
export function gone(why: string): Adapter {
  return () => ({ refused: why });
}
