import { lookup } from '../../../ir/lookup.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import type { Operator } from '../call.ts';
import { ARITHMETIC } from './arithmetic.ts';
import { MAKING } from './making.ts';
import { MOVING } from './moving.ts';
import { NORMALIZING } from './normalizing.ts';
import { REDUCING } from './reducing.ts';

const ALL = { ...MOVING, ...ARITHMETIC, ...REDUCING, ...NORMALIZING, ...MAKING };

/** What computes a node of constants; undefined for operators that are not computed here, products among them. */
export function operatorOf(node: Node): Operator | undefined {
  return isOp(node, node.opType) ? lookup(ALL, node.opType) : undefined;
}
