import { lookup } from '../../../ir/lookup.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import type { Operator, Operators } from '../call.ts';
import { ARITHMETIC } from './arithmetic.ts';
import { CONTRACTING } from './contracting.ts';
import { MAKING } from './making.ts';
import { MOVING } from './moving.ts';
import { NORMALIZING } from './normalizing.ts';
import { PLACING } from './placing.ts';
import { REDUCING } from './reducing.ts';
import { STANDARDIZING } from './standardizing.ts';

const ALL: Operators = {
  ...{ ...MOVING, ...PLACING, ...ARITHMETIC, ...REDUCING, ...CONTRACTING },
  ...{ ...NORMALIZING, ...STANDARDIZING, ...MAKING },
};

/** The function that computes a node of constants; undefined for unsupported operators. */
export function operatorOf(node: Node): Operator | undefined {
  return isOp(node, node.opType) ? lookup(ALL, node.opType) : undefined;
}
