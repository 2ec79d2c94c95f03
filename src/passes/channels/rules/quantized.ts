import type { Rule, Rules } from '../analysis.ts';

/** Integers and their scales keep their shapes: what they stand for was fitted to them. */
const stays: Rule = (node, a) => {
  a.giveUp(node, 'stores them as integers', 'already_quantized');
  const x = a.value(node.inputs[0]);
  // Downstream the shape is worth knowing, though no channel of it can go.
  if (x !== undefined) a.put(node, { dims: x.dims, axes: x.axes });
};

export const quantized: Rules = { QuantizeLinear: stays, DequantizeLinear: stays };
