import type { Rule, Rules } from '../analysis.ts';

/** Integers and their scales keep their shapes, because the scales were fitted to these integers. */
const stays: Rule = (node, a) => {
  a.giveUp(node, 'stores them as integers', 'already_quantized');
  const x = a.value(node.inputs[0]);
  // The shape helps downstream, although all its channels are pinned.
  if (x !== undefined) a.put(node, { dims: x.dims, axes: x.axes });
};

export const quantized: Rules = { QuantizeLinear: stays, DequantizeLinear: stays };
