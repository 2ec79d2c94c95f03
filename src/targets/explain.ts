import { isOp, type Node } from '../ir/node.ts';
import { type Condition, madeBy, type Reading } from './fact.ts';
import * as weights from './weights.ts';

/** In order of precedence: the first unmet condition is reported. */
const CONDITIONS: readonly Condition<unknown>[] = [
  weights.wholeTable,
  weights.convActivations,
  weights.convOutput,
  weights.convOperators,
  weights.axisFromFront,
  weights.scaleRank,
  weights.weightAxis,
  weights.ownWeight,
  weights.gemmAttributes,
  weights.gemmActivations,
  weights.gemmOutput,
  weights.gemmRelu,
  weights.gemmBias,
  weights.followingClip,
  weights.followingAdd,
];

/** The first condition of ONNX Runtime's fusions that a node fails, in a few words. */
export function whyUnfused(reading: Omit<Reading, 'quantized'>): string {
  const { graph, dequantize, node } = reading;
  const output = dequantize.outputs[0] ?? '';
  const activation = node.inputs.find((one) => one !== output) ?? '';
  const whole = { ...reading, quantized: madeBy(graph, activation, 'DequantizeLinear') };
  const kind = kindOf(node);
  for (const condition of CONDITIONS) {
    const why = condition.of === kind ? condition.unmet(whole) : undefined;
    if (why !== undefined) return why;
  }
  return 'ONNX Runtime did not fuse it';
}

function kindOf(node: Node): Condition<unknown>['of'] {
  if (isOp(node, 'Gather')) return 'table';
  return node.opType.startsWith('Conv') ? 'conv' : 'product';
}
