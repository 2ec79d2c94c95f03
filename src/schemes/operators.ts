import { lookup } from '../ir/lookup.ts';
import { isOp, type Node } from '../ir/node.ts';

/** The role of an input that gives the meaning of integers. */
export type StepRole = 'scale' | 'zero_point';

/** Operators that compute with integers. */
const INTEGER_OPS = new RegExp(
  '^(QLinear|MatMulInteger|ConvInteger|QGemm|QAttention|DynamicQuantize|MatMulNBits|MatMulBnb4|' +
    'GatherBlockQuantized|QMoE)',
);

type Steps = readonly (StepRole | undefined)[];

const OPERAND: Steps = [undefined, 'scale', 'zero_point'];
const ZERO_POINTS: Steps = [undefined, undefined, 'zero_point', 'zero_point'];
const NBITS: Steps = [undefined, undefined, 'scale', 'zero_point'];
const TO_FLOAT: Steps = [undefined, undefined, 'scale', 'scale', 'zero_point', 'zero_point'];
const EXPERT: Steps = [undefined, 'scale', undefined];
const LSTM: Steps = [...new Array<undefined>(8), 'scale', 'zero_point', 'scale', 'zero_point'];

/** The weight input of integer operators, and their scale and zero point inputs. */
const OPERATORS: Readonly<Record<string, { readonly weight: number; readonly steps?: Steps }>> = {
  MatMulInteger: { weight: 1, steps: ZERO_POINTS },
  MatMulIntegerToFloat: { weight: 1, steps: TO_FLOAT },
  ConvInteger: { weight: 1, steps: ZERO_POINTS },
  DynamicQuantizeMatMul: { weight: 1, steps: NBITS },
  DynamicQuantizeLSTM: { weight: 1, steps: LSTM },
  QLinearMatMul: { weight: 3, steps: [...OPERAND, ...OPERAND, 'scale', 'zero_point'] },
  QLinearConv: { weight: 3, steps: [...OPERAND, ...OPERAND, 'scale', 'zero_point'] },
  QGemm: { weight: 3, steps: [...OPERAND, ...OPERAND, undefined, 'scale', 'zero_point'] },
  QAttention: { weight: 1 },
  MatMulNBits: { weight: 1, steps: NBITS },
  MatMulBnb4: { weight: 1, steps: [undefined, undefined, 'scale'] },
  QMoE: {
    weight: 2,
    steps: [undefined, undefined, ...EXPERT, ...EXPERT, ...EXPERT, 'zero_point', 'zero_point', 'zero_point'],
  },
  GatherBlockQuantized: { weight: 0, steps: NBITS },
};

/** Whether a node computes with integers. */
export function isIntegerOp({ opType }: Node): boolean {
  return INTEGER_OPS.test(opType);
}

/** The weight input of an integer operator; undefined for other operators. */
export function integerWeightOf({ inputs, opType }: Node): string | undefined {
  return inputs[lookup(OPERATORS, opType)?.weight ?? -1];
}

/**
 * The role of an input of QuantizeLinear, DequantizeLinear or an integer operator; undefined if it holds the numbers
 * themselves.
 */
export function stepRole(node: Node, index: number): StepRole | undefined {
  if (isOp(node, 'DequantizeLinear') || isOp(node, 'QuantizeLinear')) return OPERAND[index];
  return lookup(OPERATORS, node.opType)?.steps?.[index];
}
